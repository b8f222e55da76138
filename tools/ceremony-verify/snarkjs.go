package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"regexp"
	"unicode/utf8"

	"github.com/consensys/gnark-crypto/ecc/bn254"
	"github.com/consensys/gnark-crypto/ecc/bn254/fp"
	"github.com/consensys/gnark-crypto/ecc/bn254/fr"
	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/chacha20"
)

// snarkjsSource is the source of a record of kind 4 (section 8).
type snarkjsSource struct {
	circuitHash []byte // csHash
	spx         bn254.G2Affine
	name        string // what the contributor called himself
	beacon      bool
	exponent    byte
	value       []byte
}

const snarkjsHash = 64

func (rec *record) snarkjsSource() (*snarkjsSource, error) {
	r := &reader{rest: rec.source}
	s := &snarkjsSource{circuitHash: r.take(snarkjsHash)}
	point := r.take(g2Bytes)
	name := r.take(uint64(r.u8()))
	kind := r.u8()
	if kind == 1 {
		s.beacon, s.exponent = true, r.u8()
		s.value = r.take(uint64(r.u8()))
	}
	if r.err != nil || len(r.rest) != 0 || kind > 1 || len(point) != g2Bytes || s.exponent > 24 {
		return nil, rec.refuse("a source that is not snarkjs's")
	}
	s.name = string(name)
	if rec.name != shownName(s.name) {
		return nil, rec.refuse("its contributor gave himself another name")
	}
	var err error
	if s.spx, err = parseG2(point); err != nil {
		return nil, rec.refuse("secret sp: %w", err)
	}
	return s, nil
}

// hiding are the characters that no name in a transcript has.
var hiding = regexp.MustCompile("[\\x00-\\x1f\\x7f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")

// shownName is the name of a record whose contributor called himself so to snarkjs.
func shownName(own string) string {
	if own == "" || len(own) > 128 || !utf8.ValidString(own) || hiding.MatchString(own) {
		return "snarkjs"
	}
	return own
}

// snarkjsChain follows snarkjs's transcript from record to record.
type snarkjsChain struct {
	circuitHash []byte
	keys        []byte
}

// check is check 3 for a record of kind 4. last: the next one is of another kind.
func (chain *snarkjsChain) check(rec *record, previous *trapdoorPoints, last bool) error {
	source, err := rec.snarkjsSource()
	if err != nil {
		return err
	}
	if chain.circuitHash != nil && !bytes.Equal(chain.circuitHash, source.circuitHash) {
		return rec.refuse("another circuit hash of snarkjs than the contributions before")
	}
	chain.circuitHash = source.circuitHash
	s := &rec.shares[0]
	if !s.s.IsZero() || s.twoIsZero == last {
		return rec.refuse("fields that snarkjs does not have are not zero, or delta in G2 is not where it should be")
	}
	transcript := blake2b.Sum512(bytes.Join([][]byte{source.circuitHash, chain.keys, s.rawP, s.rawR}, nil))
	sp := hashToG2(transcript[:])
	switch {
	case s.new1.X.Equal(&previous.one.X):
		return rec.refuse("delta: its secret is 1 or -1: nothing was contributed")
	case !samePairing(&s.p, &source.spx, &s.r, &sp):
		return rec.refuse("delta: the proof of knowledge does not hold")
	case !samePairing(&previous.one, &source.spx, &s.new1, &sp):
		return rec.refuse("delta: it is not the previous one times the secret")
	case last && !samePairing(&s.new1, &generator2, &generator1, &s.new2):
		return rec.refuse("delta: it differs between the groups")
	case source.beacon && !source.isBeacon(s):
		return rec.refuse("delta: its secret is not the beacon's")
	}
	own := bytes.Join([][]byte{s.rawNew1, s.rawP, s.rawR, encodeG2(&source.spx), transcript[:]}, nil)
	shown := blake2b.Sum512(own)
	rec.shown, rec.person = shown[:], !source.beacon
	chain.keys = append(chain.keys, own...)
	return nil
}

func (source *snarkjsSource) isBeacon(s *share) bool {
	value := source.value
	for range uint64(1) << source.exponent {
		digest := sha256.Sum256(value)
		value = digest[:]
	}
	words := newWords(value)
	var secret fr.Element
	secret = fr.Element(words.limbs(fr.Modulus()))
	var point, multiple bn254.G1Affine
	for {
		point.X = fp.Element(words.limbs(fp.Modulus()))
		greatest := words.next()&1 == 1
		var square, three fp.Element
		three.SetUint64(3)
		square.Square(&point.X).Mul(&square, &point.X).Add(&square, &three)
		if square.Legendre() < 0 {
			continue
		}
		point.Y.Sqrt(&square)
		if point.Y.LexicographicallyLargest() != greatest {
			point.Y.Neg(&point.Y)
		}
		break
	}
	var scalar big.Int
	multiple.ScalarMultiplication(&point, secret.BigInt(&scalar))
	return point.Equal(&s.p) && multiple.Equal(&s.r)
}

// words is the stream of ChaCha20 under a key whose words are read big-endian.
type words struct{ cipher *chacha20.Cipher }

func newWords(seed []byte) *words {
	key := make([]byte, 32)
	for i := 0; i < 32; i += 4 {
		binary.LittleEndian.PutUint32(key[i:], binary.BigEndian.Uint32(seed[i:]))
	}
	cipher, err := chacha20.NewUnauthenticatedCipher(key, make([]byte, chacha20.NonceSize))
	if err != nil {
		panic(err) // the lengths are right
	}
	return &words{cipher}
}

func (w *words) next() uint32 {
	out := make([]byte, 4)
	w.cipher.XORKeyStream(out, out)
	return binary.LittleEndian.Uint32(out)
}

// limbs draws four limbs below a prime of 254 bits; they stand for an element in Montgomery form.
func (w *words) limbs(prime *big.Int) (out [4]uint64) {
	bound := limbsOf(prime)
	for {
		for i := range out {
			high := uint64(w.next())
			out[i] = high<<32 | uint64(w.next())
		}
		out[3] &= 1<<62 - 1
		for i := 3; i >= 0; i-- {
			if out[i] < bound[i] {
				return out
			}
			if out[i] > bound[i] {
				break
			}
		}
	}
}

// cofactor: the curve over Fp2 has r times this many points.
var cofactor = new(big.Int).Sub(new(big.Int).Lsh(fp.Modulus(), 1), fr.Modulus())

// hashToG2 draws a point of the curve over Fp2, and multiplies it by the cofactor.
func hashToG2(transcript []byte) (point bn254.G2Affine) {
	w := newWords(transcript)
	for {
		point.X.A0 = fp.Element(w.limbs(fp.Modulus()))
		point.X.A1 = fp.Element(w.limbs(fp.Modulus()))
		greatest := w.next()&1 == 1
		square, b, cube := point.X, generator2.Y, generator2.X
		square.Square(&point.X).Mul(&square, &point.X)
		b.Square(&generator2.Y)
		cube.Square(&generator2.X).Mul(&cube, &generator2.X)
		b.Sub(&b, &cube)
		square.Add(&square, &b)
		if square.Legendre() < 0 {
			continue
		}
		point.Y.Sqrt(&square)
		negative := point.Y.A1.LexicographicallyLargest()
		if point.Y.A1.IsZero() {
			negative = point.Y.A0.LexicographicallyLargest()
		}
		if negative != greatest {
			point.Y.Neg(&point.Y)
		}
		break
	}
	// Plain double and add: the library's multiplication assumes the subgroup.
	var sum, base bn254.G2Jac
	base.FromAffine(&point)
	for i := cofactor.BitLen() - 1; i >= 0; i-- {
		sum.DoubleAssign()
		if cofactor.Bit(i) == 1 {
			sum.AddAssign(&base)
		}
	}
	point.FromJacobian(&sum)
	return point
}

// snarkjsCircuitHash is csHash: what snarkjs computes of circuit and powers.
func snarkjsCircuitHash(c *constraints, p *powersFor) []byte {
	hash, err := blake2b.New512(nil)
	if err != nil {
		panic(err)
	}
	points := func(list []bn254.G1Affine) {
		hash.Write(binary.BigEndian.AppendUint32(nil, uint32(len(list))))
		for i := range list {
			hash.Write(encodeG1(&list[i])) // infinity is all zeros
		}
	}
	for _, part := range [][]byte{
		encodeG1(&p.alpha[0]), encodeG1(&p.beta[0]), encodeG2(&p.beta2), encodeG2(&generator2), encodeG1(&generator1),
		encodeG2(&generator2),
	} {
		hash.Write(part)
	}
	a, b, w := columns(c.matrices[0], c.shape.wires), columns(c.matrices[1], c.shape.wires), columns(c.matrices[2], c.shape.wires)
	whole := func(from, to uint64) []bn254.G1Affine {
		return dense(from, to, func(wire uint32, sum *bn254.G1Jac) {
			a[wire].add(sum, p.beBase)
			b[wire].add(sum, p.alphaBase)
			w[wire].add(sum, p.base)
		})
	}
	points(whole(0, c.shape.firstPrivate()))
	points(dense(0, uint64(p.n-1), func(i uint32, sum *bn254.G1Jac) {
		var minus bn254.G1Affine
		sum.FromAffine(&p.tau[int64(i)+p.n])
		sum.AddMixed(minus.Neg(&p.tau[i]))
	}))
	points(whole(c.shape.firstPrivate(), c.shape.wires))
	points(dense(0, c.shape.wires, func(wire uint32, sum *bn254.G1Jac) { a[wire].add(sum, p.base) }))
	points(dense(0, c.shape.wires, func(wire uint32, sum *bn254.G1Jac) { b[wire].add(sum, p.base) }))
	hash.Write(binary.BigEndian.AppendUint32(nil, uint32(c.shape.wires)))
	for wire := range uint32(c.shape.wires) {
		point := b[wire].sum2(p.base2)
		hash.Write(encodeG2(&point))
	}
	return hash.Sum(nil)
}

func dense(from, to uint64, point func(wire uint32, sum *bn254.G1Jac)) []bn254.G1Affine {
	sums := make([]bn254.G1Jac, to-from)
	_ = parallel(len(sums), func(i int) error {
		point(uint32(from)+uint32(i), &sums[i])
		return nil
	})
	return bn254.BatchJacobianToAffineG1(sums)
}
