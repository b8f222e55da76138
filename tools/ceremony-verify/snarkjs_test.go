package main

import (
	"strings"
	"testing"
)

// snarkjsRecord is the contribution of the fixture toy.zkey, made by snarkjs, as a record of kind 4.
func snarkjsRecord(t *testing.T) *record {
	t.Helper()
	file, err := openContainer(fixture("toy.zkey"), "zkey")
	if err != nil {
		t.Fatal(err)
	}
	defer file.file.Close()
	content, err := file.whole(10)
	if err != nil {
		t.Fatal(err)
	}
	header, err := file.whole(2)
	if err != nil {
		t.Fatal(err)
	}
	ones, err1 := rawG1(content[snarkjsHash+4 : snarkjsHash+4+3*g1Bytes])
	spx, err2 := rawG2(content[snarkjsHash+4+3*g1Bytes:][:g2Bytes])
	delta2, err3 := rawG2(header[len(header)-g2Bytes:])
	if err1 != nil || err2 != nil || err3 != nil {
		t.Fatal(err1, err2, err3)
	}
	source := append(append([]byte{}, content[:snarkjsHash]...), encodeG2(&spx[0])...)
	rec := &record{number: 1, kind: bySnarkjs, name: "snarkjs", source: append(source, 0, 0)}
	rec.shares = []share{{
		new1: ones[0], new2: delta2[0], p: ones[1], r: ones[2],
		rawNew1: encodeG1(&ones[0]), rawP: encodeG1(&ones[1]), rawR: encodeG1(&ones[2]),
	}}
	return rec
}

func checkSnarkjs(rec *record) error {
	return (&snarkjsChain{}).check(rec, &trapdoorPoints{generator1, generator2}, true)
}

func TestAContributionOfSnarkjsHolds(t *testing.T) {
	if err := checkSnarkjs(snarkjsRecord(t)); err != nil {
		t.Fatal(err)
	}
}

func TestAlteredContributionsOfSnarkjsAreRefused(t *testing.T) {
	for name, attack := range map[string]struct {
		change  func(rec *record)
		refusal string
	}{
		"circuit hash":          {func(rec *record) { rec.source[0] ^= 1 }, "the proof of knowledge does not hold"},
		"secret sp":             {func(rec *record) { copy(rec.source[snarkjsHash:], encodeG2(&generator2)) }, "the proof of knowledge does not hold"},
		"delta":                 {func(rec *record) { rec.shares[0].new1.Double(&rec.shares[0].new1) }, "not the previous one times the secret"},
		"delta is the old one":  {func(rec *record) { rec.shares[0].new1 = generator1 }, "1 or -1"},
		"delta in G2":           {func(rec *record) { rec.shares[0].new2 = generator2 }, "differs between the groups"},
		"delta in G2 left out":  {func(rec *record) { rec.shares[0].twoIsZero = true }, "not where it should be"},
		"something more":        {func(rec *record) { rec.source = append(rec.source, 0) }, "a source that is not snarkjs's"},
		"a beacon":              {func(rec *record) { rec.source = append(rec.source[:len(rec.source)-1], 1, 3, 1, 7) }, "not the beacon's"},
		"a beacon without end":  {func(rec *record) { rec.source = append(rec.source[:len(rec.source)-1], 1, 63, 1, 7) }, "a source that is not snarkjs's"},
		"a scalar that is none": {func(rec *record) { rec.shares[0].s = scalar(1) }, "not zero"},
	} {
		t.Run(name, func(t *testing.T) {
			rec := snarkjsRecord(t)
			attack.change(rec)
			if err := checkSnarkjs(rec); err == nil || !strings.Contains(err.Error(), attack.refusal) {
				t.Fatalf("got %v, expected %q", err, attack.refusal)
			}
		})
	}
}

// snarkjs's hash of the initial key, computed from circuit and powers, is the one in its files.
func TestTheCircuitHashOfSnarkjs(t *testing.T) {
	circuit := toyCircuit(t)
	loaded, err := openPowers(t).load(log2(circuit.shape.allRows()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := initialKey(circuit, loaded); err != nil { // appends the rows of the public wires
		t.Fatal(err)
	}
	got, expected := snarkjsCircuitHash(circuit, loaded), snarkjsRecord(t).source[:snarkjsHash]
	if string(got) != string(expected) {
		t.Fatalf("got %x, expected %x", got, expected)
	}
}
