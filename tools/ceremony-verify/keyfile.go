package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/consensys/gnark-crypto/ecc/bn254"
	"lukechampine.com/blake3"
)

// Sections of a key file, by id.
const (
	verifyingKey = iota + 1
	constantsG1
	constantsG2
	aIndex
	aPoints
	bIndex
	b1Points
	b2Points
	kIndex
	kPoints
	committedIndex
	committedPoints
	hPoints
	sectionCount = hPoints
)

var sectionNames = [sectionCount + 1]string{
	"", "VerifyingKey", "ConstantsG1", "ConstantsG2", "AIndex", "APoints", "BIndex", "B1Points", "B2Points", "KIndex",
	"KPoints", "CommittedIndex", "CommittedPoints", "HPoints",
}

var elementBytes = [sectionCount + 1]uint32{0, 1, 64, 128, 4, 64, 4, 64, 128, 4, 64, 4, 64, 64}

const (
	keyMagic    = "ZKCHAINK"
	keyVersion  = 1
	fixedHeader = 192
	tableEntry  = 64
	tableEnd    = fixedHeader + tableEntry*sectionCount
	development = 1
)

// keyFile is a key: its header, and each section with its padding left out.
type keyFile struct {
	shape    shape
	domain   uint64
	flags    uint32
	digest   [32]byte
	sections [sectionCount + 1][]byte
	digests  [sectionCount + 1][32]byte
}

func aligned(length uint64) uint64 { return (length + 63) / 64 * 64 }

// sectionDigest is blake3 of a section with its padding.
func sectionDigest(content []byte) (out [32]byte) {
	hash := blake3.New(32, nil)
	hash.Write(content)
	hash.Write(make([]byte, aligned(uint64(len(content)))-uint64(len(content))))
	hash.Sum(out[:0])
	return out
}

// seal lays out header and table for the sections, and sets the digests.
func (k *keyFile) seal() (head []byte) {
	head = make([]byte, tableEnd)
	little := binary.LittleEndian
	copy(head, keyMagic)
	little.PutUint32(head[8:], keyVersion)
	little.PutUint32(head[12:], k.shape.system)
	copy(head[16:], k.shape.circuitHash[:])
	offset := aligned(tableEnd)
	for id := 1; id <= sectionCount; id++ {
		content, at := k.sections[id], head[fixedHeader+tableEntry*(id-1):]
		k.digests[id] = sectionDigest(content)
		little.PutUint32(at, uint32(id))
		little.PutUint32(at[4:], elementBytes[id])
		little.PutUint64(at[8:], uint64(len(content))/uint64(elementBytes[id]))
		little.PutUint64(at[16:], offset)
		little.PutUint64(at[24:], uint64(len(content)))
		copy(at[32:], k.digests[id][:])
		offset += aligned(uint64(len(content)))
	}
	s := &k.shape
	for i, value := range []uint64{s.wires, s.public, s.committed, s.rows, k.domain, s.instanceLength, offset} {
		little.PutUint64(head[48+8*i:], value)
	}
	little.PutUint32(head[104:], k.flags)
	little.PutUint32(head[108:], sectionCount)
	hash := blake3.New(32, nil)
	hash.Write(head[:128])
	hash.Write(head[fixedHeader:])
	hash.Sum(k.digest[:0])
	copy(head[128:], k.digest[:])
	return head
}

// parseKey reads a key file. Sizes, padding and digests are compared by laying the sections out again.
func parseKey(data []byte) (*keyFile, error) {
	if len(data) < int(aligned(tableEnd)) || string(data[:8]) != keyMagic {
		return nil, errors.New("this is not a key file")
	}
	r := &reader{rest: data[8:]}
	if version := r.u32(); version != keyVersion {
		return nil, fmt.Errorf("expected version %d, got %d", keyVersion, version)
	}
	k := &keyFile{}
	s := &k.shape
	s.system, s.circuitHash = r.u32(), r.word()
	s.wires, s.public, s.committed, s.rows = r.u64(), r.u64(), r.u64(), r.u64()
	k.domain, s.instanceLength = r.u64(), r.u64()
	size := r.u64()
	k.flags = r.u32()
	if size != uint64(len(data)) {
		return nil, fmt.Errorf("expected %d bytes, got %d: the file is truncated or damaged", size, len(data))
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	offset := aligned(tableEnd)
	for id := 1; id <= sectionCount; id++ {
		length := binary.LittleEndian.Uint64(data[fixedHeader+tableEntry*(id-1)+24:])
		if length > size || offset+aligned(length) > size || length%uint64(elementBytes[id]) != 0 {
			return nil, errors.New("the section table contradicts the file's size")
		}
		k.sections[id] = data[offset : offset+length]
		offset += aligned(length)
	}
	if offset != size {
		return nil, errors.New("the section table contradicts the file's size")
	}
	return k, k.compare(data)
}

// compare lays out the same sections again: any other byte of header, table or padding is refused.
func (k *keyFile) compare(data []byte) error {
	head := k.seal()
	for id := 1; id <= sectionCount; id++ {
		at := fixedHeader + tableEntry*(id-1) + 32
		if !bytes.Equal(head[at:at+32], data[at:at+32]) {
			return fmt.Errorf("section %s does not have its digest", sectionNames[id])
		}
	}
	if !bytes.Equal(head, data[:tableEnd]) {
		return errors.New("the header does not have its digest, or is not that of the sections")
	}
	offset := uint64(tableEnd)
	for id := 0; id <= sectionCount; id++ {
		end := aligned(offset)
		for _, b := range data[offset:end] {
			if b != 0 {
				return errors.New("padding that is not zero")
			}
		}
		if id < sectionCount {
			offset = end + uint64(len(k.sections[id+1]))
		}
	}
	return k.checkCounts()
}

// checkCounts: index sections fit their points, rise, and stay below the number of wires.
func (k *keyFile) checkCounts() error {
	s := &k.shape
	constants, ic, g2s := 4*g1Bytes, int(s.public)+1, 3
	if s.system == cg16 {
		g2s = 4
	}
	wrong := errors.New("a section has another size than the circuit's")
	if len(k.sections[verifyingKey]) != g1Bytes*(1+ic)+g2Bytes*g2s || len(k.sections[constantsG1]) != constants ||
		len(k.sections[constantsG2]) != 2*g2Bytes || uint64(len(k.sections[hPoints])) != g1Bytes*k.domain {
		return wrong
	}
	if k.domain < s.allRows() || k.domain&(k.domain-1) != 0 || k.flags&^development != 0 {
		return errors.New("a domain size or flags that no key has")
	}
	for _, pair := range [][2]int{{aIndex, aPoints}, {bIndex, b1Points}, {bIndex, b2Points}, {kIndex, kPoints}, {committedIndex, committedPoints}} {
		index := k.sections[pair[0]]
		if len(index)/4 != len(k.sections[pair[1]])/int(elementBytes[pair[1]]) {
			return wrong
		}
		last := int64(-1)
		for i := 0; i < len(index); i += 4 {
			wire := int64(binary.LittleEndian.Uint32(index[i:]))
			if wire <= last || uint64(wire) >= s.wires {
				return fmt.Errorf("section %s does not rise", sectionNames[pair[0]])
			}
			last = wire
		}
	}
	return nil
}

// trapdoorPoints are where a key holds a trapdoor: in G1, in G2, and in the verifying key.
type trapdoorPoints struct {
	one bn254.G1Affine
	two bn254.G2Affine
}

// where the points of the verifying key begin: alpha1, beta2, gamma2, delta2, [eta2], IC.
const vkBeta, vkGamma, vkDelta, vkEta = g1Bytes, g1Bytes + g2Bytes, g1Bytes + 2*g2Bytes, g1Bytes + 3*g2Bytes

// trapdoors reads delta and eta, and checks that all places in the file agree.
func (k *keyFile) trapdoors() ([]trapdoorPoints, error) {
	vk := k.sections[verifyingKey]
	if !bytes.Equal(vk[vkGamma:vkGamma+g2Bytes], encodeG2(&generator2)) {
		return nil, errors.New("gamma2 is not the generator")
	}
	out := make([]trapdoorPoints, count(k.shape.system))
	ones := k.sections[constantsG1]
	for i := range out {
		one, err := rawG1(ones[g1Bytes*(2+i) : g1Bytes*(3+i)])
		if err != nil {
			return nil, fmt.Errorf("%s1: %w", table[i].label, err)
		}
		two, err := parseG2(vk[vkDelta+g2Bytes*i:])
		if err != nil {
			return nil, fmt.Errorf("%s2: %w", table[i].label, err)
		}
		out[i] = trapdoorPoints{one[0], two}
		if !samePairing(&one[0], &generator2, &generator1, &two) {
			return nil, fmt.Errorf("%s differs between the groups", table[i].label)
		}
	}
	twos, err := rawG2(k.sections[constantsG2])
	if err != nil {
		return nil, fmt.Errorf("ConstantsG2: %w", err)
	}
	if !twos[1].Equal(&out[0].two) {
		return nil, errors.New("delta2 is not that of the verifying key")
	}
	return out, nil
}
