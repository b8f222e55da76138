package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"runtime"
	"sync"

	"github.com/consensys/gnark-crypto/ecc/bn254"
	"github.com/consensys/gnark-crypto/ecc/bn254/fp"
	"github.com/consensys/gnark-crypto/ecc/bn254/fr"
	"golang.org/x/crypto/sha3"
)

const (
	wordBytes = 32
	g1Bytes   = 2 * wordBytes
	g2Bytes   = 4 * wordBytes
)

var (
	errNotCanonical = errors.New("a coordinate is not below p")
	errOffCurve     = errors.New("a point is not on its curve")
	errSubgroup     = errors.New("a point of G2 is not in the subgroup of order r")
	errInfinity     = errors.New("a point is infinity")
)

var _, _, generator1, generator2 = bn254.Generators()

// ---------------------------------------------------------------------------------------------- Ethereum's encodings

// parseG1 reads a point other than infinity: x, y, big-endian.
func parseG1(data []byte) (bn254.G1Affine, error) {
	var p bn254.G1Affine
	if p.X.SetBytesCanonical(data[:32]) != nil || p.Y.SetBytesCanonical(data[32:64]) != nil {
		return p, errNotCanonical
	}
	return p, checkG1(&p)
}

// parseG2 reads a point other than infinity: x, y, the imaginary part of each first.
func parseG2(data []byte) (bn254.G2Affine, error) {
	var p bn254.G2Affine
	for i, word := range []*fp.Element{&p.X.A1, &p.X.A0, &p.Y.A1, &p.Y.A0} {
		if word.SetBytesCanonical(data[32*i:32*i+32]) != nil {
			return p, errNotCanonical
		}
	}
	return p, checkG2(&p)
}

func parseScalar(data []byte) (fr.Element, error) {
	var s fr.Element
	if s.SetBytesCanonical(data[:wordBytes]) != nil {
		return s, errors.New("a scalar is not below r")
	}
	return s, nil
}

func encodeG1(p *bn254.G1Affine) []byte {
	x, y := p.X.Bytes(), p.Y.Bytes()
	return append(x[:], y[:]...)
}

func encodeG2(p *bn254.G2Affine) []byte {
	var out []byte
	for _, word := range []fp.Element{p.X.A1, p.X.A0, p.Y.A1, p.Y.A0} {
		bytes := word.Bytes()
		out = append(out, bytes[:]...)
	}
	return out
}

func checkG1(p *bn254.G1Affine) error {
	switch {
	case p.IsInfinity():
		return errInfinity
	case !p.IsOnCurve():
		return errOffCurve
	}
	return nil
}

func checkG2(p *bn254.G2Affine) error {
	switch {
	case p.IsInfinity():
		return errInfinity
	case !p.IsOnCurve():
		return errOffCurve
	case !p.IsInSubGroup():
		return errSubgroup
	}
	return nil
}

// ------------------------------------------------------------------------- Montgomery limbs, of key files and of .ptau

var modulus = limbsOf(fp.Modulus())

func limbsOf(value *big.Int) [4]uint64 {
	var out [4]uint64
	rest, mask := new(big.Int).Set(value), new(big.Int).SetUint64(^uint64(0))
	for i := range out {
		out[i] = new(big.Int).And(rest, mask).Uint64()
		rest.Rsh(rest, 64)
	}
	return out
}

// rawElement takes the limbs as they are: Montgomery form with R = 2^256, which is the library's own.
func rawElement(data []byte) (fp.Element, bool) {
	var e fp.Element
	for i := range e {
		e[i] = binary.LittleEndian.Uint64(data[8*i:])
	}
	for i := 3; i >= 0; i-- {
		if e[i] != modulus[i] {
			return e, e[i] < modulus[i]
		}
	}
	return e, false
}

func putElement(out []byte, e *fp.Element) {
	for i, limb := range e {
		binary.LittleEndian.PutUint64(out[8*i:], limb)
	}
}

// rawG1 reads points; each is on its curve and not infinity.
func rawG1(data []byte) ([]bn254.G1Affine, error) {
	points := make([]bn254.G1Affine, len(data)/g1Bytes)
	err := parallel(len(points), func(i int) error {
		raw, p := data[g1Bytes*i:], &points[i]
		var okX, okY bool
		p.X, okX = rawElement(raw)
		p.Y, okY = rawElement(raw[32:])
		return at(i, canonical(okX && okY), checkG1(p))
	})
	return points, err
}

// rawG2 reads points; each is on its curve, in the subgroup and not infinity.
func rawG2(data []byte) ([]bn254.G2Affine, error) {
	points := make([]bn254.G2Affine, len(data)/g2Bytes)
	err := parallel(len(points), func(i int) error {
		all := true
		for k, e := range []*fp.Element{&points[i].X.A0, &points[i].X.A1, &points[i].Y.A0, &points[i].Y.A1} {
			var ok bool
			*e, ok = rawElement(data[g2Bytes*i+32*k:])
			all = all && ok
		}
		return at(i, canonical(all), checkG2(&points[i]))
	})
	return points, err
}

func canonical(ok bool) error {
	if ok {
		return nil
	}
	return errNotCanonical
}

// at is the first of some errors, with the number of the point.
func at(i int, errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return fmt.Errorf("point %d: %w", i, err)
		}
	}
	return nil
}

func putG1(out []byte, p *bn254.G1Affine) {
	putElement(out, &p.X)
	putElement(out[32:], &p.Y)
}

func putG2(out []byte, p *bn254.G2Affine) {
	for k, e := range []*fp.Element{&p.X.A0, &p.X.A1, &p.Y.A0, &p.Y.A1} {
		putElement(out[32*k:], e)
	}
}

func storeG1(points []bn254.G1Affine) []byte {
	out := make([]byte, g1Bytes*len(points))
	for i := range points {
		putG1(out[g1Bytes*i:], &points[i])
	}
	return out
}

func storeG2(points []bn254.G2Affine) []byte {
	out := make([]byte, g2Bytes*len(points))
	for i := range points {
		putG2(out[g2Bytes*i:], &points[i])
	}
	return out
}

// --------------------------------------------------------------------------------------------------------------- words

func keccak(parts ...[]byte) [32]byte {
	hash := sha3.NewLegacyKeccak256()
	for _, part := range parts {
		hash.Write(part)
	}
	var out [32]byte
	hash.Sum(out[:0])
	return out
}

// uintWord is k as 32 bytes, big-endian.
func uintWord(k uint64) []byte {
	out := make([]byte, 32)
	binary.BigEndian.PutUint64(out[24:], k)
	return out
}

// wide is (keccak(seed || a) 2^256 + keccak(seed || b)) mod r.
func wide(seed [32]byte, a, b uint64) fr.Element {
	high, low := keccak(seed[:], uintWord(a)), keccak(seed[:], uintWord(b))
	value := new(big.Int).SetBytes(append(high[:], low[:]...))
	var out fr.Element
	out.SetBigInt(value)
	return out
}

// parallel calls each(i) for i below n on all cores; the error is that of the lowest i that failed in its share.
func parallel(n int, each func(i int) error) error {
	workers := min(runtime.NumCPU(), max(n, 1))
	errs := make([]error, workers)
	var wait sync.WaitGroup
	for w := range workers {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for i := n * w / workers; i < n*(w+1)/workers && errs[w] == nil; i++ {
				errs[w] = each(i)
			}
		}()
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
