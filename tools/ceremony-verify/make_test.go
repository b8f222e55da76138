package main

import (
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/consensys/gnark-crypto/ecc/bn254"
	"github.com/consensys/gnark-crypto/ecc/bn254/fr"
)

// A maker of ceremonies that knows all secrets, so that it can also make those that no honest program writes.

const fixtures = "../../tests/fixtures/snarkjs"

func fixture(name string) string { return filepath.Join(fixtures, name) }

// maker is a ceremony being made: records as bytes, and the current points.
type maker struct {
	head     []byte
	records  [][]byte
	key      *keyFile
	previous []trapdoorPoints
	hash     [32]byte
}

func openPowers(t testing.TB) *ptau {
	t.Helper()
	powers, err := openPtau(fixture("toy.ptau"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { powers.file.file.Close() })
	return powers
}

// toyCircuit is the fixture of snarkjs, plain Groth16.
func toyCircuit(t testing.TB) *constraints {
	t.Helper()
	circuit, err := loadConstraints(fixture("toy.r1cs"))
	if err != nil {
		t.Fatal(err)
	}
	return circuit
}

// committedCircuit has rows over wires [1, c, y, two committed ones, two private ones]; they need not mean anything.
func committedCircuit(testing.TB) *constraints {
	c := &constraints{shape: shape{cg16, sha256.Sum256([]byte("test")), 7, 2, 2, 3, 1}, hashKnown: true}
	value := func(v int64) (e fr.Element) { e.SetInt64(v); return e }
	c.matrices = [3][]entry{
		{{3, 0, value(1)}, {4, 0, value(-2)}, {5, 1, value(1)}, {1, 2, value(1)}},
		{{4, 0, value(1)}, {1, 1, value(3)}, {0, 2, value(1)}},
		{{5, 0, value(1)}, {6, 1, value(1)}, {3, 1, value(7)}, {2, 2, value(1)}},
	}
	return c
}

func start(t testing.TB, circuit *constraints, powers *ptau) *maker {
	t.Helper()
	loaded, err := powers.load(log2(circuit.shape.allRows()))
	if err != nil {
		t.Fatal(err)
	}
	key, err := initialKey(circuit, loaded)
	if err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 16, headBytes)
	binary.LittleEndian.PutUint32(head, key.shape.system)
	binary.LittleEndian.PutUint32(head[4:], uint32(count(key.shape.system)))
	binary.LittleEndian.PutUint32(head[8:], powers.power)
	head = append(head, key.shape.circuitHash[:]...)
	head = append(head, powers.digest[:]...)
	head = append(head, key.digest[:]...)
	m := &maker{head: head, key: key, hash: keccak([]byte("zkchain/ceremony/start/1"), head)}
	for range count(key.shape.system) {
		m.previous = append(m.previous, trapdoorPoints{generator1, generator2})
	}
	return m
}

// clone copies what contributing changes.
func (m *maker) clone() *maker {
	out, key := *m, *m.key
	out.records = append([][]byte{}, m.records...)
	out.previous = append([]trapdoorPoints{}, m.previous...)
	for id := range key.sections {
		key.sections[id] = append([]byte{}, m.key.sections[id]...)
	}
	out.key = &key
	return &out
}

// draft is a record before it is written, so that tests can alter it.
type draft struct {
	kind    byte
	name    string
	source  []byte
	secrets []fr.Element
	nonces  []fr.Element
	divide  []fr.Element // what sections are divided by, if not by the secrets
	alter   func(shares [][]byte)
}

func scalar(v uint64) (e fr.Element) { e.SetUint64(v); return e }

func (m *maker) contribute(name string, secrets ...uint64) {
	d := draft{kind: byPerson, name: name}
	for i, secret := range secrets {
		d.secrets = append(d.secrets, scalar(secret))
		d.nonces = append(d.nonces, scalar(uint64(1000+i)))
	}
	m.add(d)
}

func (m *maker) context(d draft) [32]byte {
	name, source := keccak([]byte(d.name)), keccak(d.source)
	return keccak([]byte("zkchain/ceremony/context/1"), m.hash[:], []byte{d.kind}, name[:], source[:])
}

// beacon draws secrets and nonces as section 5 says.
func (m *maker) beacon(kind byte, name string, source []byte) {
	d := draft{kind: kind, name: name, source: source}
	context := m.context(d)
	for k := range m.previous {
		label := keccak([]byte(table[k].label))
		seed := keccak([]byte("zkchain/ceremony/beacon/1"), label[:], context[:], source[16:48])
		d.secrets, d.nonces = append(d.secrets, wide(seed, 0, 1)), append(d.nonces, wide(seed, 2, 3))
	}
	m.add(d)
}

func (m *maker) add(d draft) {
	context := m.context(d)
	body := []byte{d.kind, byte(len(d.name)), byte(len(d.source)), byte(len(d.source) >> 8)}
	body = append(body, d.name...)
	body = append(body, d.source...)
	if d.divide == nil {
		d.divide = d.secrets
	}
	var shares [][]byte
	for k := range d.secrets {
		shares = append(shares, m.share(k, d.secrets[k], d.nonces[k], context))
	}
	if d.alter != nil {
		d.alter(shares)
	}
	for k := range shares {
		body = append(body, shares[k]...)
		m.place(k, shares[k])
	}
	for k := range shares {
		var inverse fr.Element
		inverse.Inverse(&d.divide[k])
		for _, section := range table[k].sections {
			m.key.sections[section] = multiplied(m.key.sections[section], &inverse)
			digest := sectionDigest(m.key.sections[section])
			body = append(body, digest[:]...)
		}
	}
	raw := binary.LittleEndian.AppendUint32(nil, uint32(len(body)+4))
	raw = append(raw, body...)
	m.records = append(m.records, raw)
	m.hash = keccak([]byte("zkchain/ceremony/record/1"), m.hash[:], raw)
}

func (m *maker) share(k int, secret, nonce fr.Element, context [32]byte) []byte {
	var new1 bn254.G1Affine
	var new2 bn254.G2Affine
	var value big.Int
	new1.ScalarMultiplication(&m.previous[k].one, secret.BigInt(&value))
	new2.ScalarMultiplication(&m.previous[k].two, secret.BigInt(&value))
	s := derive(secret, nonce, &m.previous[k].one, context, table[k].label, encodeG1(&new1))
	word := s.s.Bytes()
	out := append(encodeG1(&new1), encodeG2(&new2)...)
	out = append(out, encodeG1(&s.p)...)
	out = append(out, encodeG1(&s.r)...)
	return append(out, word[:]...)
}

// place puts the new points of a trapdoor into the key.
func (m *maker) place(k int, share []byte) {
	one, err1 := parseG1(share)
	two, err2 := parseG2(share[64:])
	if err1 != nil || err2 != nil {
		return // a point that is no point stays in the record alone
	}
	m.previous[k] = trapdoorPoints{one, two}
	putG1(m.key.sections[constantsG1][g1Bytes*(2+k):], &one)
	copy(m.key.sections[verifyingKey][vkDelta+g2Bytes*k:], encodeG2(&two))
	if k == 0 {
		putG2(m.key.sections[constantsG2][g2Bytes:], &two)
	}
}

func multiplied(section []byte, by *fr.Element) []byte {
	points, err := rawG1(section)
	if err != nil {
		panic(err)
	}
	var value big.Int
	for i := range points {
		points[i].ScalarMultiplication(&points[i], by.BigInt(&value))
	}
	return storeG1(points)
}

// redigest writes the digests of the key's sections into the last record, as a liar would.
func (m *maker) redigest() {
	last := m.records[len(m.records)-1]
	at := len(last)
	for k := len(m.previous) - 1; k >= 0; k-- {
		for i := len(table[k].sections) - 1; i >= 0; i-- {
			at -= 32
			digest := sectionDigest(m.key.sections[table[k].sections[i]])
			copy(last[at:], digest[:])
		}
	}
}

func (m *maker) bytes() []byte {
	transcript := append([]byte{}, m.head...)
	for _, raw := range m.records {
		transcript = append(transcript, raw...)
	}
	out := make([]byte, 64)
	copy(out, ceremonyMagic)
	binary.LittleEndian.PutUint32(out[8:], ceremonyVersion)
	binary.LittleEndian.PutUint32(out[12:], uint32(len(m.records)))
	binary.LittleEndian.PutUint64(out[16:], uint64(len(transcript)))
	out = append(out, transcript...)
	out = append(out, make([]byte, aligned(uint64(len(out)))-uint64(len(out)))...)
	return append(out, m.keyBytes()...)
}

func (m *maker) keyBytes() []byte {
	out := m.key.seal()
	for id := 1; id <= sectionCount; id++ {
		out = append(out, make([]byte, aligned(uint64(len(out)))-uint64(len(out)))...)
		out = append(out, m.key.sections[id]...)
	}
	return append(out, make([]byte, aligned(uint64(len(out)))-uint64(len(out)))...)
}

func readFixture(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(fixture(name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}
