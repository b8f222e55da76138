package main

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/consensys/gnark-crypto/ecc"
	"github.com/consensys/gnark-crypto/ecc/bn254"
	"github.com/consensys/gnark-crypto/ecc/bn254/fr"
	"github.com/consensys/gnark-crypto/ecc/bn254/fr/fft"
)

// Sections of a .ptau: powers of tau in both groups, times alpha, times beta; then their Lagrange bases, those of the
// domains of size 1, 2, 4 .. one after the other.
const (
	tauG1, tauG2, alphaG1, betaG1, betaG2                   = 2, 3, 4, 5, 6
	lagrangeG1, lagrangeG2, lagrangeAlphaG1, lagrangeBetaG1 = 12, 13, 14, 15
)

type ptau struct {
	file   *container
	power  uint32
	digest [32]byte
}

func openPtau(path string) (*ptau, error) {
	file, err := openContainer(path, "ptau")
	if err != nil {
		return nil, err
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, file.file); err != nil {
		return nil, err
	}
	head, err := file.whole(1)
	if err != nil {
		return nil, err
	}
	r := &reader{rest: head}
	if !r.baseField() {
		return nil, errors.New(".ptau file: another field than BN254's")
	}
	p := &ptau{file: file, power: r.u32()}
	if r.err != nil || p.power < 1 || p.power > 28 {
		return nil, fmt.Errorf(".ptau file: power %d", p.power)
	}
	hash.Sum(p.digest[:0])
	return p, nil
}

func (p *ptau) g1(section uint32, first, count int64) ([]bn254.G1Affine, error) {
	data, err := p.file.read(section, g1Bytes*first, g1Bytes*count)
	if err != nil {
		return nil, err
	}
	points, err := rawG1(data)
	return points, within(section, err)
}

func (p *ptau) g2(section uint32, first, count int64) ([]bn254.G2Affine, error) {
	data, err := p.file.read(section, g2Bytes*first, g2Bytes*count)
	if err != nil {
		return nil, err
	}
	points, err := rawG2(data)
	return points, within(section, err)
}

func within(section uint32, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(".ptau file, section %d: %w", section, err)
}

// powersFor are the points that a domain of size n = 2^log uses.
type powersFor struct {
	n                 int64
	tau               []bn254.G1Affine // powers; one fewer than 2n where the file ends there
	tau2              []bn254.G2Affine
	alpha, beta       []bn254.G1Affine
	beta2             bn254.G2Affine
	base, double      []bn254.G1Affine // Lagrange bases of size n and 2n
	base2             []bn254.G2Affine
	alphaBase, beBase []bn254.G1Affine
}

func (p *ptau) load(log uint32) (*powersFor, error) {
	if log > p.power {
		return nil, fmt.Errorf(".ptau file: the circuit takes 2^%d rows, this file has power %d", log, p.power)
	}
	n := int64(1) << log
	there := 2 * n
	if log == p.power {
		there--
	}
	out := &powersFor{n: n}
	var beta2 []bn254.G2Affine
	loads := []func() error{
		func() (err error) { out.tau, err = p.g1(tauG1, 0, there); return },
		func() (err error) { out.tau2, err = p.g2(tauG2, 0, n); return },
		func() (err error) { out.alpha, err = p.g1(alphaG1, 0, n); return },
		func() (err error) { out.beta, err = p.g1(betaG1, 0, n); return },
		func() (err error) { beta2, err = p.g2(betaG2, 0, 1); return },
		func() (err error) { out.base, err = p.g1(lagrangeG1, n-1, n); return },
		func() (err error) { out.double, err = p.g1(lagrangeG1, 2*n-1, 2*n); return },
		func() (err error) { out.base2, err = p.g2(lagrangeG2, n-1, n); return },
		func() (err error) { out.alphaBase, err = p.g1(lagrangeAlphaG1, n-1, n); return },
		func() (err error) { out.beBase, err = p.g1(lagrangeBetaG1, n-1, n); return },
	}
	for _, load := range loads {
		if err := load(); err != nil {
			return nil, err
		}
	}
	out.beta2 = beta2[0]
	return out, nil
}

// check: powers of one tau in both groups, one alpha, one beta, and Lagrange bases that belong to the powers.
func (p *powersFor) check() error {
	tau1, tau2 := p.tau[1], p.tau2[1]
	last := p.tau[p.n]
	switch {
	case !p.tau[0].Equal(&generator1) || !p.tau2[0].Equal(&generator2):
		return errors.New(".ptau file: the powers do not begin with the generators")
	case last.X.Equal(&generator1.X):
		return errors.New(".ptau file: tau lies in the domain")
	case !samePairing(&p.beta[0], &generator2, &generator1, &p.beta2):
		return errors.New(".ptau file: beta differs between the groups")
	}
	for _, family := range []struct {
		name   string
		points []bn254.G1Affine
	}{{"tau", p.tau}, {"alpha tau", p.alpha}, {"beta tau", p.beta}} {
		weights := weights128(len(family.points) - 1)
		low, high := msm1(family.points[:len(weights)], weights), msm1(family.points[1:], weights)
		if !samePairing(&high, &generator2, &low, &tau2) {
			return fmt.Errorf(".ptau file: %s: not the powers of one tau", family.name)
		}
	}
	weights := weights128(len(p.tau2) - 1)
	low, high := msm2(p.tau2[:len(weights)], weights), msm2(p.tau2[1:], weights)
	if !samePairing(&generator1, &high, &tau1, &low) {
		return errors.New(".ptau file: tau in G2: not the powers of one tau")
	}
	return p.checkLagrange()
}

// checkLagrange: a random polynomial has the same value at tau by its coefficients and by its values on the domain.
func (p *powersFor) checkLagrange() error {
	for _, family := range []struct {
		name         string
		basis, power []bn254.G1Affine
	}{
		{"tau, size 2n", p.double, p.tau},
		{"tau", p.base, p.tau[:p.n]},
		{"alpha tau", p.alphaBase, p.alpha},
		{"beta tau", p.beBase, p.beta},
	} {
		coefficients, values := polynomial(len(family.basis))
		left, right := msm1(family.basis, values), msm1(family.power, coefficients[:len(family.power)])
		if !left.Equal(&right) {
			return fmt.Errorf(".ptau file: %s: the Lagrange basis does not belong to the powers", family.name)
		}
	}
	coefficients, values := polynomial(len(p.base2))
	left, right := msm2(p.base2, values), msm2(p.tau2, coefficients)
	if !left.Equal(&right) {
		return errors.New(".ptau file: tau in G2: the Lagrange basis does not belong to the powers")
	}
	return nil
}

// polynomial draws coefficients, and evaluates at w^0, w^1 ..
func polynomial(size int) (coefficients, values []fr.Element) {
	coefficients = make([]fr.Element, size)
	for i := range coefficients {
		if _, err := coefficients[i].SetRandom(); err != nil {
			panic(err) // without randomness nothing can be verified
		}
	}
	values = append(values, coefficients...)
	fft.NewDomain(uint64(size)).FFT(values, fft.DIF)
	fft.BitReverse(values)
	return coefficients, values
}

// weights128 draws weights of 128 bits, independently for each point.
func weights128(count int) []fr.Element {
	out, bytes := make([]fr.Element, count), make([]byte, 16*count)
	if _, err := rand.Read(bytes); err != nil {
		panic(err)
	}
	for i := range out {
		out[i].SetBytes(bytes[16*i : 16*i+16])
	}
	return out
}

func msm1(points []bn254.G1Affine, scalars []fr.Element) (sum bn254.G1Affine) {
	if _, err := sum.MultiExp(points, scalars, ecc.MultiExpConfig{}); err != nil {
		panic(err) // the lengths differ: a bug of this program
	}
	return sum
}

func msm2(points []bn254.G2Affine, scalars []fr.Element) (sum bn254.G2Affine) {
	if _, err := sum.MultiExp(points, scalars, ecc.MultiExpConfig{}); err != nil {
		panic(err)
	}
	return sum
}

// samePairing: e(p, q) = e(s, t).
func samePairing(p *bn254.G1Affine, q *bn254.G2Affine, s *bn254.G1Affine, t *bn254.G2Affine) bool {
	var minus bn254.G1Affine
	minus.Neg(s)
	same, err := bn254.PairingCheck([]bn254.G1Affine{*p, minus}, []bn254.G2Affine{*q, *t})
	return err == nil && same
}
