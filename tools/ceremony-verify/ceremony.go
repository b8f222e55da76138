package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"unicode/utf8"

	"github.com/consensys/gnark-crypto/ecc/bn254"
	"github.com/consensys/gnark-crypto/ecc/bn254/fr"
)

// trapdoor is a row of the specification's table: its label, and the sections that are divided by it.
type trapdoor struct {
	label    string
	sections []int
}

var table = []trapdoor{
	{"delta", []int{kPoints, hPoints}},
	{"eta", []int{committedPoints}},
}

// count is the number of trapdoors of a system.
func count(system uint32) int {
	if system == cg16 {
		return 2
	}
	return 1
}

const (
	ceremonyMagic   = "ZKCHAINC"
	ceremonyVersion = 1
	headBytes       = 112
	shareBytes      = 352
)

// Kinds of records.
const (
	byPerson = iota + 1
	byDrand
	byHash
	bySnarkjs
)

var kindNames = map[byte]string{byPerson: "contribution", byDrand: "drand beacon", byHash: "hash beacon", bySnarkjs: "contribution by snarkjs"}

// share is what a record says of one trapdoor.
type share struct {
	new1       bn254.G1Affine
	new2       bn254.G2Affine
	p, r       bn254.G1Affine
	s          fr.Element
	rawNew1    []byte
	rawP, rawR []byte
	twoIsZero  bool // a contribution of snarkjs whose delta in G2 is not known
}

type record struct {
	number  int
	raw     []byte
	kind    byte
	name    string
	source  []byte
	shares  []share
	digests [][32]byte // of the divided sections, trapdoor by trapdoor
	shown   []byte     // what snarkjs showed its contributor, once it is checked
	person  bool       // a contribution by snarkjs that is no beacon
}

func (r *record) refuse(format string, values ...any) error {
	return fmt.Errorf("contribution %d (%s): %w", r.number, r.name, fmt.Errorf(format, values...))
}

type ceremony struct {
	head          []byte
	system, power uint32
	circuitHash   [32]byte
	ptauDigest    [32]byte
	initialDigest [32]byte
	records       []record
	key           *keyFile
	transcripts   [][32]byte // transcripts[i]: after i contributions
	snarkjsHash   []byte     // csHash, where contributions are snarkjs's
}

// parseCeremony does the checks 1 and 2 (but for the trapdoors' own), and reads the records' points.
func parseCeremony(data []byte) (*ceremony, error) {
	if len(data) < 64 || string(data[:8]) != ceremonyMagic {
		return nil, errors.New("this is not a ceremony")
	}
	r := &reader{rest: data[8:]}
	if version := r.u32(); version != ceremonyVersion {
		return nil, fmt.Errorf("expected version %d, got %d", ceremonyVersion, version)
	}
	n, length := r.u32(), r.u64()
	if !zeros(r.take(40)) {
		return nil, errors.New("bytes that should be zero")
	}
	transcript := r.take(length)
	padding := r.take(aligned(length) - length)
	if r.err != nil || !zeros(padding) || length < headBytes {
		return nil, errors.New("the file is truncated, or its padding is not zero")
	}
	c := &ceremony{head: transcript[:headBytes]}
	h := &reader{rest: transcript}
	c.system = h.u32()
	trapdoors := h.u32()
	c.power = h.u32()
	zero := h.u32()
	c.circuitHash, c.ptauDigest, c.initialDigest = h.word(), h.word(), h.word()
	if (c.system != groth16 && c.system != cg16) || int(trapdoors) != count(c.system) || zero != 0 {
		return nil, fmt.Errorf("proof system %d with %d trapdoors", c.system, trapdoors)
	}
	for i := range int(n) {
		record, err := parseRecord(h, i+1, c.system)
		if err != nil {
			return nil, err
		}
		c.records = append(c.records, *record)
	}
	if len(h.rest) != 0 {
		return nil, fmt.Errorf("%d bytes after the last of %d records", len(h.rest), n)
	}
	key, err := parseKey(r.rest)
	if err != nil {
		return nil, c.refuseKey("the key: %w", err)
	}
	if key.shape.system != c.system || key.shape.circuitHash != c.circuitHash || key.flags != development {
		return nil, c.refuseKey("the key: its system, circuit or flag is not that of the ceremony")
	}
	c.key = key
	c.chain()
	return c, nil
}

// chain hashes the transcript.
func (c *ceremony) chain() {
	c.transcripts = [][32]byte{keccak([]byte("zkchain/ceremony/start/1"), c.head)}
	for i := range c.records {
		c.transcripts = append(c.transcripts, keccak([]byte("zkchain/ceremony/record/1"), c.transcripts[i][:], c.records[i].raw))
	}
}

func zeros(data []byte) bool { return len(bytes.Trim(data, "\x00")) == 0 }

func parseRecord(h *reader, number int, system uint32) (*record, error) {
	rec := &record{number: number, name: "?"}
	if len(h.rest) < 8 {
		return nil, rec.refuse("the transcript ends before it")
	}
	length := binary.LittleEndian.Uint32(h.rest)
	rec.raw = h.take(uint64(length))
	if h.err != nil || length < 8 {
		return nil, rec.refuse("the transcript ends within it")
	}
	r := &reader{rest: rec.raw[4:]}
	rec.kind = r.u8()
	nameBytes, sourceBytes := r.u8(), r.u16()
	name := r.take(uint64(nameBytes))
	rec.source = r.take(uint64(sourceBytes))
	if r.err != nil {
		return nil, rec.refuse("shorter than its name and source")
	}
	if !printable(name) {
		return nil, rec.refuse("a name that is not 1 to 128 bytes of plain text")
	}
	rec.name = string(name)
	if _, known := kindNames[rec.kind]; !known {
		return nil, rec.refuse("unknown kind %d", rec.kind)
	}
	for i := range count(system) {
		s, err := parseShare(r.take(shareBytes), rec.kind, r.err)
		if err != nil {
			return nil, rec.refuse("%s: %w", table[i].label, err)
		}
		rec.shares = append(rec.shares, *s)
	}
	for i := range count(system) {
		for range table[i].sections {
			rec.digests = append(rec.digests, r.word())
		}
	}
	if r.err != nil || len(r.rest) != 0 {
		return nil, rec.refuse("a record of another length")
	}
	return rec, nil
}

func parseShare(data []byte, kind byte, short error) (*share, error) {
	if short != nil || len(data) < shareBytes {
		return nil, errShort
	}
	s := &share{rawNew1: data[:64], rawP: data[192:256], rawR: data[256:320]}
	var err [5]error
	s.new1, err[0] = parseG1(data)
	s.twoIsZero = kind == bySnarkjs && zeros(data[64:192])
	if !s.twoIsZero {
		s.new2, err[1] = parseG2(data[64:])
	}
	s.p, err[2] = parseG1(data[192:])
	s.r, err[3] = parseG1(data[256:])
	s.s, err[4] = parseScalar(data[320:])
	for i, name := range []string{"the new point in G1", "the new point in G2", "P", "R", "s"} {
		if err[i] != nil {
			return nil, fmt.Errorf("%s: %w", name, err[i])
		}
	}
	return s, nil
}

// printable: 1 to 128 bytes of UTF-8 without control characters, and without those that hide or turn text.
func printable(name []byte) bool {
	if len(name) < 1 || len(name) > 128 || !utf8.Valid(name) {
		return false
	}
	for _, c := range string(name) {
		for _, bad := range [][2]rune{
			{0, 0x1f}, {0x7f, 0x9f}, {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff},
		} {
			if bad[0] <= c && c <= bad[1] {
				return false
			}
		}
	}
	return true
}

// ------------------------------------------------------------------------------------------------------------- records

// checkRecords is check 3, for all records.
func (c *ceremony) checkRecords() error {
	previous := make([]trapdoorPoints, count(c.system))
	for i := range previous {
		previous[i] = trapdoorPoints{generator1, generator2}
	}
	secrets := map[[32]byte]int{}
	chain := &snarkjsChain{}
	for i := range c.records {
		rec := &c.records[i]
		if rec.kind == bySnarkjs {
			if c.system != groth16 || (i > 0 && c.records[i-1].kind != bySnarkjs) {
				return rec.refuse("contributions by snarkjs come first, and to plain Groth16")
			}
			last := i+1 == len(c.records) || c.records[i+1].kind != bySnarkjs
			if err := chain.check(rec, &previous[0], last); err != nil {
				return err
			}
			if err := rec.checkDistinct(); last && err != nil {
				return err
			}
		} else if err := rec.check(c.transcripts[i], previous, secrets); err != nil {
			return err
		}
		for k := range rec.shares {
			previous[k] = trapdoorPoints{rec.shares[k].new1, rec.shares[k].new2}
		}
	}
	c.snarkjsHash = chain.circuitHash
	return nil
}

func (rec *record) check(transcript [32]byte, previous []trapdoorPoints, secrets map[[32]byte]int) error {
	name, source := keccak([]byte(rec.name)), keccak(rec.source)
	context := keccak([]byte("zkchain/ceremony/context/1"), transcript[:], []byte{rec.kind}, name[:], source[:])
	if rec.kind == byPerson && len(rec.source) != 0 {
		return rec.refuse("a contribution with a source")
	}
	for k := range rec.shares {
		s, label := &rec.shares[k], table[k].label
		if s.p.X.Equal(&generator1.X) || s.new1.X.Equal(&previous[k].one.X) {
			return rec.refuse("%s: its secret is 1 or -1: nothing was contributed", label)
		}
		if !s.proves(label, context, &previous[k].one) {
			return rec.refuse("%s: the proof of knowledge does not hold", label)
		}
		if !samePairing(&s.p, &previous[k].two, &generator1, &s.new2) {
			return rec.refuse("%s: its point in G2 is not the previous one times the secret", label)
		}
		if !samePairing(&s.new1, &generator2, &generator1, &s.new2) {
			return rec.refuse("%s: it differs between the groups", label)
		}
		x := s.p.X.Bytes()
		if before, used := secrets[x]; used {
			return rec.refuse("%s: the secret was used before, in contribution %d", label, before)
		}
		secrets[x] = rec.number
	}
	if err := rec.checkDistinct(); err != nil {
		return err
	}
	if rec.kind == byDrand || rec.kind == byHash {
		return rec.checkBeacon(context, previous)
	}
	return nil
}

// proves: s prev1 = R + ch new1.
func (s *share) proves(label string, context [32]byte, previous *bn254.G1Affine) bool {
	labelHash := keccak([]byte(label))
	hash := keccak([]byte("zkchain/cg16/pok/1"), labelHash[:], context[:], encodeG1(previous), s.rawNew1, s.rawP, s.rawR)
	challenge := new(big.Int).SetBytes(hash[:])
	challenge.Mod(challenge, fr.Modulus())
	var left, right bn254.G1Affine
	var scalar big.Int
	left.ScalarMultiplication(previous, s.s.BigInt(&scalar))
	right.ScalarMultiplication(&s.new1, challenge)
	right.Add(&right, &s.r)
	return left.Equal(&right)
}

// checkDistinct: gamma, delta, eta differ pairwise, up to sign.
func (rec *record) checkDistinct() error {
	names, points := []string{"gamma"}, []bn254.G2Affine{generator2}
	for k := range rec.shares {
		names, points = append(names, table[k].label), append(points, rec.shares[k].new2)
	}
	for i := range points {
		for j := range i {
			if points[i].X.Equal(&points[j].X) {
				return rec.refuse("%s is +-%s: anyone could forge proofs", names[i], names[j])
			}
		}
	}
	return nil
}

// ---------------------------------------------------------------------------------------------------- the chain's end

// checkEnd is check 4: the key's trapdoors and divided sections are those of the last record.
func (c *ceremony) checkEnd() error {
	points, err := c.key.trapdoors()
	if err != nil {
		return c.refuseKey("the key: %w", err)
	}
	if len(c.records) == 0 {
		if c.key.digest != c.initialDigest {
			return errors.New("the key: nobody has contributed, and it is not the initial key")
		}
		return nil
	}
	last := &c.records[len(c.records)-1]
	digest := 0
	for k := range last.shares {
		s := &last.shares[k]
		if !points[k].one.Equal(&s.new1) || !points[k].two.Equal(&s.new2) {
			return last.refuse("the key's %s is not that of the last contribution", table[k].label)
		}
		for _, section := range table[k].sections {
			if c.key.digests[section] != last.digests[digest] {
				return last.refuse("section %s of the key is not that of the last contribution", sectionNames[section])
			}
			digest++
		}
	}
	return nil
}

// who names the last contribution, to which an altered key belongs.
func (c *ceremony) refuseKey(format string, values ...any) error {
	if len(c.records) == 0 {
		return fmt.Errorf(format, values...)
	}
	return c.records[len(c.records)-1].refuse(format, values...)
}
