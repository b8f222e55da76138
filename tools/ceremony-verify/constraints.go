package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"math"
	"os"

	"github.com/consensys/gnark-crypto/ecc/bn254/fr"
	"lukechampine.com/blake3"
)

// shape holds the sizes of a circuit. Its wires are the one, public ones, committed ones and private ones.
type shape struct {
	system         uint32
	circuitHash    [32]byte
	wires          uint64
	public         uint64
	committed      uint64
	rows           uint64
	instanceLength uint64
}

const (
	groth16 = 1
	cg16    = 2
	most    = 1 << 31
)

func (s *shape) check() error {
	public := s.instanceLength
	if s.system == cg16 {
		public = 2
	}
	switch {
	case s.system != groth16 && s.system != cg16:
		return fmt.Errorf("unknown proof system %d", s.system)
	case s.wires >= most || s.rows >= most || s.public >= most || s.committed >= most:
		return errors.New("more than 2^31 wires or rows")
	case s.public != public:
		return errors.New("the number of public wires does not fit the system")
	case s.system == groth16 && s.committed != 0:
		return errors.New("groth16 has no committed wires")
	case s.system == cg16 && s.instanceLength == 0:
		return errors.New("cg16 needs an instance")
	case 1+s.public+s.committed > s.wires:
		return errors.New("too few wires")
	}
	return nil
}

func (s *shape) firstCommitted() uint64 { return 1 + s.public }
func (s *shape) firstPrivate() uint64   { return 1 + s.public + s.committed }
func (s *shape) allRows() uint64        { return s.rows + s.public + 1 }

// entry is one coefficient of a matrix.
type entry struct {
	wire, row uint32
	value     fr.Element
}

// constraints are the matrices A, B, C of a circuit. hashChecked: the circuit hash has been computed from them.
type constraints struct {
	shape       shape
	matrices    [3][]entry
	hashChecked bool
	hashKnown   bool
}

// loadConstraints reads a file of ours (magic "ZKCHAINR") or an .r1cs file.
func loadConstraints(path string) (*constraints, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var c *constraints
	if bytes.HasPrefix(data, []byte(rowsMagic)) {
		c, err = parseRows(data)
	} else {
		c, err = parseR1cs(path)
	}
	if err != nil {
		return nil, fmt.Errorf("constraints %s: %w", path, err)
	}
	return c, nil
}

// ---------------------------------------------------------------------------------------------- our file of constraints

const (
	rowsMagic     = "ZKCHAINR"
	rowsVersion   = 1
	circuitDomain = "zkchain/circuit/2"
)

func parseRows(data []byte) (*constraints, error) {
	r := &reader{rest: data[len(rowsMagic):]}
	if version := r.u32(); version != rowsVersion {
		return nil, fmt.Errorf("expected version %d, got %d", rowsVersion, version)
	}
	c := &constraints{hashKnown: true}
	s := &c.shape
	s.system, s.circuitHash = r.u32(), r.word()
	s.wires, s.public, s.committed, s.rows, s.instanceLength = r.u64(), r.u64(), r.u64(), r.u64(), r.u64()
	text := r.take(r.u64())
	if r.err != nil {
		return nil, r.err
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	digest, err := c.readBlocks(r)
	if err != nil {
		return nil, err
	}
	if len(text) == 0 {
		return c, nil // a circuit that nobody described to people: its hash is whatever the file says
	}
	c.hashChecked = true
	return c, checkInterface(s, text, digest)
}

// checkInterface recomputes the circuit hash, and compares the sizes of which the text tells.
func checkInterface(s *shape, text, rows []byte) error {
	inner := sha256.Sum256(text)
	outer := sha256.New()
	outer.Write([]byte(circuitDomain))
	outer.Write(inner[:])
	outer.Write(rows)
	if !bytes.Equal(outer.Sum(nil), s.circuitHash[:]) {
		return errors.New("the constraints and their description do not have the circuit hash")
	}
	var told struct {
		System                 string
		Rows, Wires, Committed uint64
	}
	if err := json.Unmarshal(text, &told); err != nil {
		return fmt.Errorf("the circuit's description: %w", err)
	}
	system := map[uint32]string{groth16: "groth16", cg16: "cg16"}[s.system]
	if told.System != system || told.Rows != s.rows || told.Wires != s.wires || told.Committed != s.committed {
		return errors.New("the circuit's description tells of other sizes")
	}
	return nil
}

// readBlocks reads all rows; the digest is sha256 over those of nine streams: of A, B, C the row lengths, wires, values.
func (c *constraints) readBlocks(r *reader) ([]byte, error) {
	var streams [9]hash.Hash
	for i := range streams {
		streams[i] = sha256.New()
	}
	for first := uint64(0); first < c.shape.rows; {
		rows := uint64(r.u32())
		if r.err != nil || rows == 0 || rows > c.shape.rows-first {
			return nil, fmt.Errorf("a block of %d rows after %d of %d", rows, first, c.shape.rows)
		}
		for m := range c.matrices {
			if err := c.readSide(r, m, first, rows, streams[3*m:3*m+3]); err != nil {
				return nil, err
			}
		}
		first += rows
	}
	if len(r.rest) != 0 {
		return nil, fmt.Errorf("%d bytes after the last row", len(r.rest))
	}
	all := sha256.New()
	for _, stream := range streams {
		all.Write(stream.Sum(nil))
	}
	return all.Sum(nil), nil
}

// readSide reads one matrix of a block: size of a value u32 (8: signed, or 32: canonical), lengths, wires, values.
func (c *constraints) readSide(r *reader, matrix int, first, rows uint64, streams []hash.Hash) error {
	size := uint64(r.u32())
	lengths := r.take(4 * rows)
	if r.err != nil || (size != 8 && size != 32) {
		return fmt.Errorf("values of %d bytes", size)
	}
	total := uint64(0)
	for i := range rows {
		total += uint64(binary.LittleEndian.Uint32(lengths[4*i:]))
	}
	if total > uint64(len(r.rest)) {
		return errShort
	}
	wires, values := r.take(4*total), r.take(size*total)
	if r.err != nil {
		return r.err
	}
	streams[0].Write(lengths)
	streams[1].Write(wires)
	streams[2].Write(values)
	at := uint64(0)
	for i := range rows {
		last := int64(-1)
		for range binary.LittleEndian.Uint32(lengths[4*i:]) {
			wire := binary.LittleEndian.Uint32(wires[4*at:])
			value, err := coefficient(values[size*at : size*at+size])
			if err != nil || uint64(wire) >= c.shape.wires || int64(wire) <= last {
				return fmt.Errorf("row %d, wire %d: out of range, or not in order", first+i, wire)
			}
			c.matrices[matrix] = append(c.matrices[matrix], entry{wire, uint32(first + i), value})
			last = int64(wire)
			at++
		}
	}
	return nil
}

// coefficient reads a signed number of 8 bytes, or a canonical one of 32; both little-endian, and not zero.
func coefficient(data []byte) (fr.Element, error) {
	var value fr.Element
	if len(data) == 8 {
		signed := int64(binary.LittleEndian.Uint64(data))
		if signed == math.MinInt64 {
			value.SetUint64(1 << 63)
			value.Neg(&value)
		} else {
			value.SetInt64(signed)
		}
	} else if value.SetBytesCanonical(reversed(data)) != nil {
		return value, errors.New("not below r")
	}
	if value.IsZero() {
		return value, errors.New("zero")
	}
	return value, nil
}

func reversed(data []byte) []byte {
	out := make([]byte, len(data))
	for i, b := range data {
		out[len(data)-1-i] = b
	}
	return out
}

// ---------------------------------------------------------------------------------------------------------------- .r1cs

func parseR1cs(path string) (*constraints, error) {
	file, err := openContainer(path, "r1cs")
	if err != nil {
		return nil, err
	}
	defer file.file.Close()
	head, err := file.whole(1)
	if err != nil {
		return nil, err
	}
	body, err := file.whole(2)
	if err != nil {
		return nil, err
	}
	r := &reader{rest: head}
	if !r.scalarField() {
		return nil, errors.New("another field than BN254's")
	}
	wires, outputs, inputs := uint64(r.u32()), uint64(r.u32()), uint64(r.u32())
	r.u32()
	r.u64()
	rows := uint64(r.u32())
	if r.err != nil || len(r.rest) != 0 {
		return nil, errors.New("a header of another size")
	}
	public := outputs + inputs
	c := &constraints{shape: shape{groth16, [32]byte{}, wires, public, 0, rows, public}}
	hasher := blake3.New(32, nil)
	hasher.Write(head)
	hasher.Write(body)
	hasher.Sum(c.shape.circuitHash[:0])
	if err := c.shape.check(); err != nil {
		return nil, err
	}
	return c, c.readR1csRows(&reader{rest: body})
}

func (c *constraints) readR1csRows(r *reader) error {
	for row := range c.shape.rows {
		for m := range c.matrices {
			seen := map[uint32]bool{}
			for range r.u32() {
				wire := r.u32()
				var value fr.Element
				if value.SetBytesCanonical(reversed(r.take(32))) != nil || uint64(wire) >= c.shape.wires || seen[wire] {
					return fmt.Errorf("row %d, wire %d: out of range, twice, or a coefficient not below r", row, wire)
				}
				if r.err != nil {
					return r.err
				}
				seen[wire] = true
				if !value.IsZero() {
					c.matrices[m] = append(c.matrices[m], entry{wire, uint32(row), value})
				}
			}
		}
	}
	if r.err != nil || len(r.rest) != 0 {
		return errors.New("the rows do not fill their section")
	}
	return nil
}
