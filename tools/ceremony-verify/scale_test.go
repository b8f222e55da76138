package main

import (
	"crypto/sha256"
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/consensys/gnark-crypto/ecc/bn254"
	"github.com/consensys/gnark-crypto/ecc/bn254/fp"
	"github.com/consensys/gnark-crypto/ecc/bn254/fr"
	"github.com/consensys/gnark-crypto/ecc/bn254/fr/fft"
)

// TestAtScale says what a verification costs: CEREMONY_SCALE=16 go test -run Scale -v, for 2^16 rows.
func TestAtScale(t *testing.T) {
	log, err := strconv.Atoi(os.Getenv("CEREMONY_SCALE"))
	if err != nil {
		t.Skip("CEREMONY_SCALE is not set")
	}
	path := filepath.Join(t.TempDir(), "powers.ptau")
	writePowers(t, path, uint32(log))
	powers, err := openPtau(path)
	if err != nil {
		t.Fatal(err)
	}
	defer powers.file.file.Close()
	m := start(t, chainCircuit(log), powers)
	m.contribute("Alice", 11)
	data := m.bytes()
	begin, before := time.Now(), processorTime()
	_, err = verifyAll(data, powers, chainCircuit(log), func(format string, values ...any) {
		t.Logf("%6.1f s  "+format, append([]any{time.Since(begin).Seconds()}, values...)...)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("2^%d rows: %.1f s, %.1f s of processor time, ceremony of %d MB", log, time.Since(begin).Seconds(), processorTime()-before, len(data)>>20)
}

func processorTime() float64 {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return float64(usage.Utime.Sec) + float64(usage.Utime.Usec)/1e6
}

// chainCircuit has 2^log - 2 rows w_i w_(i+1) = w_(i+2), which with the rows of the one and a public wire fill the domain.
func chainCircuit(log int) *constraints {
	rows := uint64(1)<<log - 2
	c := &constraints{shape: shape{groth16, sha256.Sum256([]byte("chain")), rows + 4, 1, 0, rows, 1}, hashKnown: true}
	one := scalar(1)
	for i := range uint32(rows) {
		c.matrices[0] = append(c.matrices[0], entry{i + 1, i, one})
		c.matrices[1] = append(c.matrices[1], entry{i + 2, i, one})
		c.matrices[2] = append(c.matrices[2], entry{i + 3, i, one})
	}
	return c
}

// writePowers writes a .ptau with known secrets; Lagrange bases of smaller domains are left empty.
func writePowers(t *testing.T, path string, power uint32) {
	n := 1 << power
	tau, alpha, beta := scalar(12345), scalar(678), scalar(91011)
	powers := make([]fr.Element, 2*n-1)
	powers[0].SetOne()
	for i := 1; i < len(powers); i++ {
		powers[i].Mul(&powers[i-1], &tau)
	}
	times := func(list []fr.Element, by fr.Element) []fr.Element {
		out := make([]fr.Element, len(list))
		for i := range out {
			out[i].Mul(&list[i], &by)
		}
		return out
	}
	g1 := func(list []fr.Element) []byte { return storeG1(bn254.BatchScalarMultiplicationG1(&generator1, list)) }
	g2 := func(list []fr.Element) []byte { return storeG2(bn254.BatchScalarMultiplicationG2(&generator2, list)) }
	base, double := basis(n, tau), basis(2*n, tau)
	top := powers[2*n-2]
	top.Mul(&top, &tau)
	w, factor := fft.NewDomain(uint64(2*n)).Generator, fft.NewDomain(uint64(2*n)).CardinalityInv
	for i := range double { // the file has no tau^(2n-1)
		var part fr.Element
		part.Mul(&factor, &top)
		double[i].Sub(&double[i], &part)
		factor.Mul(&factor, &w)
	}
	empty := func(size int) []byte { return make([]byte, size*(n-1)) }
	head := binary.LittleEndian.AppendUint32(nil, 32)
	head = append(head, reversed(fp.Modulus().Bytes())...)
	head = binary.LittleEndian.AppendUint32(head, power)
	head = binary.LittleEndian.AppendUint32(head, power)
	sections := map[uint32][]byte{
		1: head, tauG1: g1(powers), tauG2: g2(powers[:n]), alphaG1: g1(times(powers[:n], alpha)),
		betaG1: g1(times(powers[:n], beta)), betaG2: g2([]fr.Element{beta}),
		lagrangeG1: append(append(empty(g1Bytes), g1(base)...), g1(double)...), lagrangeG2: append(empty(g2Bytes), g2(base)...),
		lagrangeAlphaG1: append(empty(g1Bytes), g1(times(base, alpha))...), lagrangeBetaG1: append(empty(g1Bytes), g1(times(base, beta))...),
	}
	out := binary.LittleEndian.AppendUint32([]byte("ptau\x01\x00\x00\x00"), uint32(len(sections)))
	for kind, content := range sections {
		out = binary.LittleEndian.AppendUint32(out, kind)
		out = binary.LittleEndian.AppendUint64(out, uint64(len(content)))
		out = append(out, content...)
	}
	if err := os.WriteFile(path, out, 0o600); err != nil {
		t.Fatal(err)
	}
}

// basis is L_i(tau) = (tau^m - 1) w^i / (m (tau - w^i)).
func basis(m int, tau fr.Element) []fr.Element {
	domain := fft.NewDomain(uint64(m))
	out, differences := make([]fr.Element, m), make([]fr.Element, m)
	one, w := scalar(1), scalar(1)
	vanishing := tau
	for size := 1; size < m; size *= 2 {
		vanishing.Square(&vanishing)
	}
	vanishing.Sub(&vanishing, &one).Mul(&vanishing, &domain.CardinalityInv)
	for i := range out {
		out[i].Mul(&vanishing, &w)
		differences[i].Sub(&tau, &w)
		w.Mul(&w, &domain.Generator)
	}
	for i, inverse := range fr.BatchInvert(differences) {
		out[i].Mul(&out[i], &inverse)
	}
	return out
}
