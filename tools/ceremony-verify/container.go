package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/consensys/gnark-crypto/ecc/bn254/fp"
	"github.com/consensys/gnark-crypto/ecc/bn254/fr"
)

// container is a file of iden3's: magic, version, number of sections, then each with its type u32 and size u64.
type container struct {
	what     string
	file     *os.File
	sections map[uint32]span
}

type span struct{ start, size int64 }

func openContainer(path, magic string) (*container, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	c := &container{what: "." + magic + " file", file: file, sections: map[uint32]span{}}
	if err := c.parse(magic); err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %w", c.what, err)
	}
	return c, nil
}

func (c *container) parse(magic string) error {
	info, err := c.file.Stat()
	if err != nil {
		return err
	}
	head := make([]byte, 12)
	if _, err := c.file.ReadAt(head, 0); err != nil || string(head[:4]) != magic {
		return fmt.Errorf("it does not begin with %q", magic)
	}
	if version := binary.LittleEndian.Uint32(head[4:]); version != 1 {
		return fmt.Errorf("expected version 1, got %d", version)
	}
	position := int64(12)
	for range binary.LittleEndian.Uint32(head[8:]) {
		entry := make([]byte, 12)
		if _, err := c.file.ReadAt(entry, position); err != nil {
			return errors.New("truncated")
		}
		kind, size := binary.LittleEndian.Uint32(entry), int64(binary.LittleEndian.Uint64(entry[4:]))
		position += 12
		if size < 0 || size > info.Size()-position {
			return fmt.Errorf("truncated: section %d", kind)
		}
		if _, twice := c.sections[kind]; twice {
			return fmt.Errorf("section %d occurs twice", kind)
		}
		c.sections[kind] = span{position, size}
		position += size
	}
	if position != info.Size() {
		return errors.New("bytes after the last section")
	}
	return nil
}

// read returns bytes first .. first + count of a section.
func (c *container) read(kind uint32, first, count int64) ([]byte, error) {
	where, there := c.sections[kind]
	if !there || first < 0 || count < 0 || first+count > where.size {
		return nil, fmt.Errorf("%s: section %d does not have the bytes %d .. %d", c.what, kind, first, first+count)
	}
	data := make([]byte, count)
	_, err := io.ReadFull(io.NewSectionReader(c.file, where.start+first, count), data)
	return data, err
}

func (c *container) whole(kind uint32) ([]byte, error) {
	return c.read(kind, 0, c.sections[kind].size)
}

// reader takes fields off some bytes; after the first that is not there all are zero, and err says so.
type reader struct {
	rest []byte
	err  error
}

var errShort = errors.New("it ends too early")

func (r *reader) take(count uint64) []byte {
	if r.err != nil || count > uint64(len(r.rest)) {
		r.err = errShort
		return make([]byte, min(count, 64))
	}
	out := r.rest[:count]
	r.rest = r.rest[count:]
	return out
}

func (r *reader) u8() byte    { return r.take(1)[0] }
func (r *reader) u16() uint16 { return binary.LittleEndian.Uint16(r.take(2)) }
func (r *reader) u32() uint32 { return binary.LittleEndian.Uint32(r.take(4)) }
func (r *reader) u64() uint64 { return binary.LittleEndian.Uint64(r.take(8)) }

func (r *reader) word() (out [32]byte) {
	copy(out[:], r.take(32))
	return out
}

// baseField and scalarField refuse other fields than BN254's: the size of an element, then the prime.
func (r *reader) baseField() bool   { return r.prime(fp.Modulus().Bytes()) }
func (r *reader) scalarField() bool { return r.prime(fr.Modulus().Bytes()) }

func (r *reader) prime(bigEndian []byte) bool {
	if r.u32() != wordBytes {
		return false
	}
	word := r.word()
	for i, b := range bigEndian {
		if word[len(bigEndian)-1-i] != b {
			return false
		}
	}
	return r.err == nil
}
