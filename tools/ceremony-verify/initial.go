package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/big"
	"sort"

	"github.com/consensys/gnark-crypto/ecc/bn254"
)

// column is one wire's entries of a matrix.
type column []entry

// columns sorts a matrix's entries by wire.
func columns(entries []entry, wires uint64) map[uint32]column {
	sort.SliceStable(entries, func(i, j int) bool { return entries[i].wire < entries[j].wire })
	out := make(map[uint32]column)
	for start := 0; start < len(entries); {
		end := start
		for end < len(entries) && entries[end].wire == entries[start].wire {
			end++
		}
		out[entries[start].wire] = entries[start:end]
		start = end
	}
	return out
}

func rising(sets ...map[uint32]column) []uint32 {
	all := map[uint32]bool{}
	for _, set := range sets {
		for wire := range set {
			all[wire] = true
		}
	}
	out := make([]uint32, 0, len(all))
	for wire := range all {
		out = append(out, wire)
	}
	sort.Slice(out, func(i, j int) bool { return out[i] < out[j] })
	return out
}

// add adds sum value * base[row] to a point.
func (c column) add(sum *bn254.G1Jac, base []bn254.G1Affine) {
	for i := range c {
		point := &base[c[i].row]
		switch value := &c[i].value; {
		case value.IsOne():
			sum.AddMixed(point)
		default:
			var term bn254.G1Jac
			var scalar big.Int
			term.FromAffine(point)
			term.ScalarMultiplication(&term, value.BigInt(&scalar))
			sum.AddAssign(&term)
		}
	}
}

func (c column) sum2(base []bn254.G2Affine) (out bn254.G2Affine) {
	var sum bn254.G2Jac
	for i := range c {
		var term bn254.G2Jac
		var scalar big.Int
		term.FromAffine(&base[c[i].row])
		term.ScalarMultiplication(&term, c[i].value.BigInt(&scalar))
		sum.AddAssign(&term)
	}
	out.FromJacobian(&sum)
	return out
}

// query computes point(wire) for each wire; points at infinity are left out, and so are their wires.
func query(wires []uint32, point func(wire uint32, sum *bn254.G1Jac)) (index []byte, points []bn254.G1Affine) {
	sums := make([]bn254.G1Jac, len(wires))
	_ = parallel(len(wires), func(i int) error {
		point(wires[i], &sums[i])
		return nil
	})
	var kept []uint32
	for i, p := range bn254.BatchJacobianToAffineG1(sums) {
		if !p.IsInfinity() {
			kept, points = append(kept, wires[i]), append(points, p)
		}
	}
	return indexBytes(kept), points
}

func indexBytes(wires []uint32) []byte {
	out := make([]byte, 0, 4*len(wires))
	for _, wire := range wires {
		out = binary.LittleEndian.AppendUint32(out, wire)
	}
	return out
}

// log2 is the smallest log with 2^log >= rows, at least 1.
func log2(rows uint64) (log uint32) {
	for log = 1; uint64(1)<<log < rows; log++ {
	}
	return log
}

// initialKey makes the key of the circuit on the powers with delta = eta = 1.
//
// With L and l the Lagrange bases of size n and 2n: A_j = sum A_ij L_i, B_j = sum B_ij L_i,
//
//	K_j = sum beta A_ij L_i + alpha B_ij L_i + C_ij L_i     for public wires (IC) and committed ones (over eta)
//	K'_j = the same with l_2i for the last L_i              for private wires
//	E_j = sum C_ij (l_2i - L_i)                             for all others
//	H_i = l_(2i+1)
func initialKey(c *constraints, p *powersFor) (*keyFile, error) {
	s := &c.shape
	for j := range uint32(s.public + 1) { // the rows wire_j * 0 = 0
		one := entry{wire: j, row: uint32(s.rows) + j}
		one.value.SetOne()
		c.matrices[0] = append(c.matrices[0], one)
	}
	if !fixesSlack(c, uint64(p.n)) {
		return nil, errors.New("no row has B = C = 0: a proof on truncated powers would say nothing")
	}
	a, b, w := columns(c.matrices[0], s.wires), columns(c.matrices[1], s.wires), columns(c.matrices[2], s.wires)
	even, odd, difference := split(p)
	whole := func(last []bn254.G1Affine) func(uint32, *bn254.G1Jac) {
		return func(wire uint32, sum *bn254.G1Jac) {
			a[wire].add(sum, p.beBase)
			b[wire].add(sum, p.alphaBase)
			w[wire].add(sum, last)
		}
	}
	key := &keyFile{shape: *s, domain: uint64(p.n), flags: development}
	set := func(index, points int, wires []uint32, point func(uint32, *bn254.G1Jac)) {
		at, made := query(wires, point)
		key.sections[points] = storeG1(made)
		if index != 0 {
			key.sections[index] = at
		}
	}
	set(aIndex, aPoints, rising(a), func(wire uint32, sum *bn254.G1Jac) { a[wire].add(sum, p.base) })
	set(bIndex, b1Points, rising(b), func(wire uint32, sum *bn254.G1Jac) { b[wire].add(sum, p.base) })
	key.sections[b2Points] = storeG2(query2(rising(b), b, p.base2))
	all := rising(a, b, w)
	folded := whole(even)
	set(kIndex, kPoints, all, func(wire uint32, sum *bn254.G1Jac) {
		if uint64(wire) < s.firstPrivate() {
			w[wire].add(sum, difference)
		} else {
			folded(wire, sum)
		}
	})
	var committed []uint32
	for _, wire := range all {
		if uint64(wire) >= s.firstCommitted() && uint64(wire) < s.firstPrivate() {
			committed = append(committed, wire)
		}
	}
	set(committedIndex, committedPoints, committed, whole(p.base))
	key.sections[hPoints] = storeG1(odd)
	key.constants(p, whole(p.base))
	key.seal()
	return key, nil
}

func query2(wires []uint32, b map[uint32]column, base []bn254.G2Affine) []bn254.G2Affine {
	sums := make([]bn254.G2Affine, len(wires))
	_ = parallel(len(wires), func(i int) error {
		sums[i] = b[wires[i]].sum2(base)
		return nil
	})
	kept := sums[:0]
	for _, p := range sums {
		if !p.IsInfinity() {
			kept = append(kept, p)
		}
	}
	return kept
}

// split returns the even and odd points of the basis of size 2n, and l_2i - L_i.
func split(p *powersFor) (even, odd, difference []bn254.G1Affine) {
	for i := range p.base {
		even, odd = append(even, p.double[2*i]), append(odd, p.double[2*i+1])
	}
	sums := make([]bn254.G1Jac, len(even))
	for i := range sums {
		var minus bn254.G1Affine
		minus.Neg(&p.base[i])
		sums[i].FromAffine(&even[i])
		sums[i].AddMixed(&minus)
	}
	return even, odd, bn254.BatchJacobianToAffineG1(sums)
}

// fixesSlack: some row of the domain has B = C = 0 identically.
func fixesSlack(c *constraints, rows uint64) bool {
	used := make([]bool, rows)
	for _, matrix := range c.matrices[1:] {
		for i := range matrix {
			used[matrix[i].row] = true
		}
	}
	for _, row := range used {
		if !row {
			return true
		}
	}
	return false
}

// constants fills in the verifying key and the constants, with delta = eta = 1.
func (k *keyFile) constants(p *powersFor, ic func(uint32, *bn254.G1Jac)) {
	twos := [][]byte{encodeG2(&p.beta2), encodeG2(&generator2), encodeG2(&generator2)}
	var eta bn254.G1Affine
	if k.shape.system == cg16 {
		twos = append(twos, encodeG2(&generator2))
		eta = generator1
	}
	vk := append(encodeG1(&p.alpha[0]), bytes.Join(twos, nil)...)
	for j := range uint32(k.shape.public + 1) {
		var sum bn254.G1Jac
		var point bn254.G1Affine
		ic(j, &sum)
		point.FromJacobian(&sum)
		vk = append(vk, encodeG1(&point)...)
	}
	k.sections[verifyingKey] = vk
	k.sections[constantsG1] = storeG1([]bn254.G1Affine{p.alpha[0], p.beta[0], generator1, eta})
	k.sections[constantsG2] = storeG2([]bn254.G2Affine{p.beta2, generator2})
}
