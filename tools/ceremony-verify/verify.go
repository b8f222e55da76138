package main

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/consensys/gnark-crypto/ecc/bn254"
)

// verifyAll does the specification's checks in order. say is told of each that has passed.
func verifyAll(data []byte, powers *ptau, circuit *constraints, say func(string, ...any)) (*ceremony, error) {
	c, err := parseCeremony(data)
	if err != nil {
		return nil, err
	}
	if err := c.checkRecords(); err != nil {
		return nil, err
	}
	say("%d contributions: proofs, groups and order hold", len(c.records))
	if err := c.checkEnd(); err != nil {
		return nil, err
	}
	divided, err := c.dividedPoints()
	if err != nil {
		return nil, err
	}
	say("the key is that of the last contribution, and its points are on their curves")
	initial, err := c.deriveInitial(powers, circuit, say)
	if err != nil {
		return nil, err
	}
	if err := c.checkUnchanged(initial); err != nil {
		return nil, err
	}
	say("nothing but delta, eta and what is divided by them has changed since the start")
	if err := c.checkRatios(initial, divided); err != nil {
		return nil, err
	}
	say("what is divided by them is divided rightly")
	return c, nil
}

// dividedPoints is check 5, and returns the points by section.
func (c *ceremony) dividedPoints() (map[int][]bn254.G1Affine, error) {
	out := map[int][]bn254.G1Affine{}
	for _, row := range table[:count(c.system)] {
		for _, section := range row.sections {
			points, err := rawG1(c.key.sections[section])
			if err != nil {
				return nil, c.refuseKey("section %s: %w", sectionNames[section], err)
			}
			out[section] = points
		}
	}
	return out, nil
}

// deriveInitial is check 6.
func (c *ceremony) deriveInitial(powers *ptau, circuit *constraints, say func(string, ...any)) (*keyFile, error) {
	if powers.digest != c.ptauDigest || powers.power != c.power {
		return nil, errors.New("the .ptau is not the one that the ceremony was started from")
	}
	if err := c.checkCircuit(circuit, say); err != nil {
		return nil, err
	}
	loaded, err := powers.load(log2(circuit.shape.allRows()))
	if err != nil {
		return nil, err
	}
	if err := loaded.check(); err != nil {
		return nil, err
	}
	say("the .ptau holds powers of one tau, one alpha, one beta, and their Lagrange bases")
	initial, err := initialKey(circuit, loaded)
	if err != nil {
		return nil, err
	}
	if initial.digest != c.initialDigest {
		return nil, errors.New("the initial key derived from circuit and .ptau is not the one that the ceremony was started from")
	}
	if c.snarkjsHash != nil && !bytes.Equal(c.snarkjsHash, snarkjsCircuitHash(circuit, loaded)) {
		return nil, errors.New("the circuit hash of snarkjs is not that of circuit and .ptau")
	}
	say("the initial key is that of circuit and .ptau")
	return initial, nil
}

// checkCircuit: the sizes are the key's, and so is the circuit hash where the file of constraints determines it.
func (c *ceremony) checkCircuit(circuit *constraints, say func(string, ...any)) error {
	got := circuit.shape
	switch {
	case got.circuitHash == c.circuitHash && (circuit.hashChecked || !circuit.hashKnown):
		say("the circuit hash is that of the constraints")
	case circuit.hashKnown && got.circuitHash != c.circuitHash:
		return fmt.Errorf("the constraints have another circuit hash: %x, the ceremony's is %x", got.circuitHash, c.circuitHash)
	default:
		say("NOT CHECKED: the circuit hash, which this file of constraints does not determine")
	}
	circuit.shape.circuitHash = c.circuitHash
	if circuit.shape != c.key.shape {
		return fmt.Errorf("the constraints have other sizes than the key: %+v, %+v", circuit.shape, c.key.shape)
	}
	return nil
}

// checkUnchanged is check 7: the initial key with the trapdoors' points replaced.
func (c *ceremony) checkUnchanged(initial *keyFile) error {
	expected := initial.sections
	for _, id := range []int{verifyingKey, constantsG1, constantsG2} {
		expected[id] = append([]byte{}, initial.sections[id]...)
	}
	divided := map[int]bool{}
	for k := range count(c.system) {
		for _, section := range table[k].sections {
			divided[section] = true
		}
		if len(c.records) == 0 {
			continue
		}
		s := &c.records[len(c.records)-1].shares[k]
		putG1(expected[constantsG1][g1Bytes*(2+k):], &s.new1)
		copy(expected[verifyingKey][vkDelta+g2Bytes*k:], encodeG2(&s.new2))
		if k == 0 {
			putG2(expected[constantsG2][g2Bytes:], &s.new2)
		}
	}
	if initial.domain != c.key.domain {
		return c.refuseKey("another domain than at the start")
	}
	for id := 1; id <= sectionCount; id++ {
		if !divided[id] && !bytes.Equal(expected[id], c.key.sections[id]) {
			return c.refuseKey("section %s is not that of the initial key", sectionNames[id])
		}
		if len(expected[id]) != len(c.key.sections[id]) {
			return c.refuseKey("section %s has another size than at the start", sectionNames[id])
		}
	}
	return nil
}

// checkRatios is check 8.
func (c *ceremony) checkRatios(initial *keyFile, divided map[int][]bn254.G1Affine) error {
	points, err := c.key.trapdoors()
	if err != nil {
		return err
	}
	for k, row := range table[:count(c.system)] {
		for _, section := range row.sections {
			start, err := rawG1(initial.sections[section])
			if err != nil {
				return err
			}
			if len(start) == 0 {
				continue
			}
			weights := weights128(len(start))
			now, before := msm1(divided[section], weights), msm1(start, weights)
			if !samePairing(&now, &points[k].two, &before, &generator2) {
				return c.refuseKey("section %s is not the initial one divided by %s", sectionNames[section], row.label)
			}
		}
	}
	return nil
}
