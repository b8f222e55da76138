package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/consensys/gnark-crypto/ecc/bn254"
	"github.com/consensys/gnark-crypto/ecc/bn254/fp"
	"github.com/consensys/gnark-crypto/ecc/bn254/fr"
)

type circuitMaker func(testing.TB) *constraints

var systems = map[string]circuitMaker{"groth16": toyCircuit, "cg16": committedCircuit}

func check(t *testing.T, data []byte, circuit *constraints) (*ceremony, error) {
	t.Helper()
	return verifyAll(data, openPowers(t), circuit, func(string, ...any) {})
}

func secrets(system uint32, values ...uint64) []uint64 { return values[:count(system)] }

// three is an honest ceremony of three contributors.
func three(t testing.TB, circuit circuitMaker) *maker {
	m := start(t, circuit(t), openPowers(t))
	system := m.key.shape.system
	m.contribute("Alice", secrets(system, 11, 13)...)
	m.contribute("Bob", secrets(system, 17, 19)...)
	m.contribute("Carol", secrets(system, 23, 29)...)
	return m
}

const quicknet1000 = "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39"
const default1 = "8d61d9100567de44682506aea1a7a6fa6e5491cd27a0a0ed349ef6910ac5ac20ff7bc3e09d7c046566c9f7f3c6f3b101" +
	"04990e7cb424998203d8f7de586fb7fa5f60045417a432684f85093b06ca91c769f0e7ca19268375e659c2a2352b4655"
const default2 = "aa18facd2d51b616511d542de6f9af8a3b920121401dad1434ed1db4a565f10e04fad8d9b2b4e3e0094364374caafe9b" +
	"10478bf75650124831509c638b5a36a7a232ec70289f8751a2adb47fc32eb70b57dc81c39d48cbcac9fec46cdfc31663"

func drandSource(chain byte, round uint64, signature, previous string) []byte {
	own := decodeHex(signature)
	digest := sha256.Sum256(own)
	source := append([]byte{chain}, make([]byte, 7)...)
	source = binary.LittleEndian.AppendUint64(source, round)
	source = append(source, digest[:]...)
	source = append(source, decodeHex(previous)...)
	return append(source, own...)
}

func hashSource(exponent byte, startOf string) []byte {
	source := append([]byte{exponent}, make([]byte, 15)...)
	source = append(source, iterated([]byte(startOf), exponent)...)
	return append(source, startOf...)
}

func TestHonestCeremoniesPass(t *testing.T) {
	for name, circuit := range systems {
		t.Run(name, func(t *testing.T) {
			m := start(t, circuit(t), openPowers(t))
			if _, err := check(t, m.bytes(), circuit(t)); err != nil {
				t.Fatalf("nobody has contributed: %v", err)
			}
			m = three(t, circuit)
			m.beacon(byDrand, "quicknet", drandSource(quicknet, 1000, quicknet1000, ""))
			m.beacon(byDrand, "default", drandSource(defaultChain, 2, default2, default1))
			m.beacon(byDrand, "first", drandSource(defaultChain, 1, default1, hex.EncodeToString(defaultSeed)))
			m.beacon(byHash, "hash", hashSource(3, "sixteen bytes at least"))
			c, err := check(t, m.bytes(), circuit(t))
			if err != nil {
				t.Fatal(err)
			}
			if len(c.records) != 7 || c.records[1].name != "Bob" {
				t.Fatalf("records: %+v", c.records)
			}
			if c.transcripts[7] != m.hash {
				t.Fatal("the transcript is another one")
			}
		})
	}
}

// attack makes a ceremony that must be refused; the refusal names who is to blame.
type attack struct {
	name    string
	make    func(t *testing.T, circuit circuitMaker) []byte
	refusal string
}

// flipped alters one byte of a section and hides it in all digests.
func altered(section int, change func(points []bn254.G1Affine)) func(*testing.T, circuitMaker) []byte {
	return func(t *testing.T, circuit circuitMaker) []byte {
		m := three(t, circuit)
		points, err := rawG1(m.key.sections[section])
		if err != nil {
			t.Fatal(err)
		}
		change(points)
		m.key.sections[section] = storeG1(points)
		m.redigest()
		return m.bytes()
	}
}

func double(i int) func([]bn254.G1Affine) {
	return func(points []bn254.G1Affine) {
		at := (i + len(points)) % len(points)
		points[at].Double(&points[at])
	}
}

func anyone(points []bn254.G1Affine) { double(rand.IntN(len(points)))(points) }

// cancel alters two points so that their sum stays.
func cancel(points []bn254.G1Affine) {
	points[0].Add(&points[0], &generator1)
	var minus bn254.G1Affine
	minus.Neg(&generator1)
	points[1].Add(&points[1], &minus)
}

func drafted(change func(m *maker, d *draft)) func(*testing.T, circuitMaker) []byte {
	return func(t *testing.T, circuit circuitMaker) []byte {
		m := three(t, circuit)
		d := draft{kind: byPerson, name: "Mallory"}
		for i := range m.previous {
			d.secrets, d.nonces = append(d.secrets, scalar(uint64(31+i))), append(d.nonces, scalar(uint64(41+i)))
		}
		change(m, &d)
		m.add(d)
		return m.bytes()
	}
}

func minusOne() (e fr.Element) { e.SetInt64(-1); return e }

// outside is a point of the curve of G2 outside the subgroup.
func outside() bn254.G2Affine {
	for x := uint64(1); ; x++ {
		var p bn254.G2Affine
		p.X.A0.SetUint64(x)
		var square, b = p.X, bn254.G2Affine{}
		square.Square(&p.X).Mul(&square, &p.X)
		b = generator2
		var coefficient, cube = b.Y, b.X
		coefficient.Square(&b.Y)
		cube.Square(&b.X).Mul(&cube, &b.X)
		coefficient.Sub(&coefficient, &cube)
		square.Add(&square, &coefficient)
		if square.Legendre() != 1 {
			continue
		}
		p.Y.Sqrt(&square)
		if p.IsOnCurve() && !p.IsInSubGroup() {
			return p
		}
	}
}

var attacks = []attack{
	{"a contribution left out", func(t *testing.T, circuit circuitMaker) []byte {
		m := three(t, circuit)
		m.records = append(m.records[:1], m.records[2:]...)
		return m.bytes()
	}, "contribution 2 (Carol)"},
	{"the last contribution left out", func(t *testing.T, circuit circuitMaker) []byte {
		m := three(t, circuit)
		m.records = m.records[:2]
		return m.bytes()
	}, "contribution 2 (Bob): the key's delta"},
	{"contributions swapped", func(t *testing.T, circuit circuitMaker) []byte {
		m := three(t, circuit)
		m.records[0], m.records[1] = m.records[1], m.records[0]
		return m.bytes()
	}, "contribution 1 (Bob)"},
	{"the same secret twice", drafted(func(_ *maker, d *draft) { d.secrets[0] = scalar(17) }), "contribution 4 (Mallory): delta: the secret was used before, in contribution 2"},
	{"the same secret with the other sign", drafted(func(_ *maker, d *draft) {
		d.secrets[0] = scalar(17)
		d.secrets[0].Neg(&d.secrets[0])
	}), "contribution 4 (Mallory): delta: the secret was used before, in contribution 2"},
	{"the secret one", drafted(func(_ *maker, d *draft) { d.secrets[0] = scalar(1) }), "contribution 4 (Mallory): delta: its secret is 1 or -1"},
	{"the secret minus one", drafted(func(_ *maker, d *draft) { d.secrets[0] = minusOne() }), "contribution 4 (Mallory): delta: its secret is 1 or -1"},
	{"delta is gamma", drafted(func(_ *maker, d *draft) {
		all := scalar(11 * 17 * 23)
		d.secrets[0].Inverse(&all)
	}), "contribution 4 (Mallory): delta is +-gamma"},
	{"a proof of knowledge that does not hold", drafted(func(_ *maker, d *draft) {
		d.alter = func(shares [][]byte) { shares[0][351] ^= 1 }
	}), "contribution 4 (Mallory): delta: the proof of knowledge"},
	{"a proof of another transcript", func(t *testing.T, circuit circuitMaker) []byte {
		m := three(t, circuit)
		other := m.clone()
		other.hash = keccak([]byte("another transcript"))
		d := draft{kind: byPerson, name: "Mallory"}
		for i := range m.previous {
			d.secrets, d.nonces = append(d.secrets, scalar(uint64(31+i))), append(d.nonces, scalar(uint64(41+i)))
		}
		other.add(d)
		return other.bytes()
	}, "contribution 4 (Mallory): delta: the proof of knowledge"},
	{"another name on a contribution", func(t *testing.T, circuit circuitMaker) []byte {
		m := three(t, circuit)
		copy(m.records[0][8:], "Alicf")
		return m.bytes()
	}, "contribution 1 (Alicf): delta: the proof of knowledge"},
	{"G2 with another secret", drafted(func(m *maker, d *draft) {
		d.alter = func(shares [][]byte) {
			var other bn254.G2Affine
			other.Double(&m.previous[0].two)
			copy(shares[0][64:], encodeG2(&other))
		}
	}), "contribution 4 (Mallory): delta: its point in G2"},
	{"G2 outside the subgroup", drafted(func(m *maker, d *draft) {
		d.alter = func(shares [][]byte) {
			two := outside()
			copy(shares[0][64:], encodeG2(&two))
		}
	}), "contribution 4 (Mallory): delta: the new point in G2: a point of G2 is not in the subgroup"},
	{"a point at infinity", drafted(func(_ *maker, d *draft) {
		d.alter = func(shares [][]byte) { copy(shares[0], make([]byte, 64)) }
	}), "contribution 4 (Mallory): delta: the new point in G1: a point is infinity"},
	{"a coordinate plus p", drafted(func(_ *maker, d *draft) {
		d.alter = func(shares [][]byte) {
			x := new(big.Int).SetBytes(shares[0][:32])
			x.Add(x, fp.Modulus()).FillBytes(shares[0][:32])
		}
	}), "a coordinate is not below p"},
	{"K and H not divided", drafted(func(_ *maker, d *draft) {
		d.divide = append([]fr.Element{scalar(1)}, d.secrets[1:]...)
	}), "contribution 4 (Mallory): section KPoints is not the initial one divided by delta"},
	{"the first K altered", altered(kPoints, double(0)), "contribution 3 (Carol): section KPoints"},
	{"the last K altered", altered(kPoints, double(-1)), "contribution 3 (Carol): section KPoints"},
	{"some K altered", altered(kPoints, anyone), "contribution 3 (Carol): section KPoints"},
	{"the first H altered", altered(hPoints, double(0)), "contribution 3 (Carol): section HPoints"},
	{"the last H altered", altered(hPoints, double(-1)), "contribution 3 (Carol): section HPoints"},
	{"some H altered", altered(hPoints, anyone), "contribution 3 (Carol): section HPoints"},
	{"two H whose alterations cancel", altered(hPoints, cancel), "contribution 3 (Carol): section HPoints"},
	{"an A altered", altered(aPoints, anyone), "contribution 3 (Carol): section APoints is not that of the initial key"},
	{"a B1 altered", altered(b1Points, anyone), "contribution 3 (Carol): section B1Points is not that of the initial key"},
	{"truncated", func(t *testing.T, circuit circuitMaker) []byte {
		data := three(t, circuit).bytes()
		return data[:len(data)-64]
	}, "truncated"},
	{"truncated in the transcript", func(t *testing.T, circuit circuitMaker) []byte {
		return three(t, circuit).bytes()[:300]
	}, "truncated"},
	{"a digest of a section altered", func(t *testing.T, circuit circuitMaker) []byte {
		m := three(t, circuit)
		last := m.records[2]
		last[len(last)-1] ^= 1
		return m.bytes()
	}, "contribution 3 (Carol): section"},
	{"a byte of the key altered", func(t *testing.T, circuit circuitMaker) []byte {
		data := three(t, circuit).bytes()
		data[len(data)-100] ^= 1
		return data
	}, "the key: section HPoints does not have its digest"},
	{"a contribution with a source", drafted(func(_ *maker, d *draft) { d.source = []byte{1} }), "contribution 4 (Mallory): a contribution with a source"},
	{"an unknown kind", drafted(func(_ *maker, d *draft) { d.kind = 9 }), "contribution 4 (Mallory): unknown kind 9"},
	{"a name that turns text", drafted(func(_ *maker, d *draft) { d.name = "a\u202eb" }), "contribution 4 (?): a name"},
	{"a beacon of another round", func(t *testing.T, circuit circuitMaker) []byte {
		m := three(t, circuit)
		m.beacon(byDrand, "drand", drandSource(quicknet, 1001, quicknet1000, ""))
		return m.bytes()
	}, "contribution 4 (drand): not drand's signature of round 1001"},
	{"a beacon of the other chain", func(t *testing.T, circuit circuitMaker) []byte {
		m := three(t, circuit)
		m.beacon(byDrand, "drand", drandSource(defaultChain, 3, default2, default1))
		return m.bytes()
	}, "contribution 4 (drand): not drand's signature of round 3"},
	{"a beacon with other randomness", func(t *testing.T, circuit circuitMaker) []byte {
		m := three(t, circuit)
		source := drandSource(quicknet, 1000, quicknet1000, "")
		source[20] ^= 1
		m.beacon(byDrand, "drand", source)
		return m.bytes()
	}, "contribution 4 (drand): its randomness is not the hash"},
	{"a beacon with a secret of somebody's own", drafted(func(_ *maker, d *draft) {
		d.kind, d.source = byDrand, drandSource(quicknet, 1000, quicknet1000, "")
	}), "contribution 4 (Mallory): delta: its secret is not the beacon's"},
	{"a hash beacon of fewer iterations", func(t *testing.T, circuit circuitMaker) []byte {
		m := three(t, circuit)
		source := hashSource(3, "sixteen bytes at least")
		source[0] = 4
		m.beacon(byHash, "hash", source)
		return m.bytes()
	}, "contribution 4 (hash): its randomness is not the iterated hash"},
}

func TestAttacksAreRefused(t *testing.T) {
	for system, circuit := range systems {
		for _, a := range attacks {
			t.Run(system+"/"+a.name, func(t *testing.T) {
				refused(t, a.make(t, circuit), circuit(t), a.refusal)
			})
		}
	}
}

func refused(t *testing.T, data []byte, circuit *constraints, refusal string) {
	t.Helper()
	_, err := check(t, data, circuit)
	if err == nil {
		t.Fatal("accepted")
	}
	if !strings.Contains(err.Error(), refusal) {
		t.Fatalf("refused with %q, expected %q", err, refusal)
	}
}

func TestAttacksOnTheSecondTrapdoor(t *testing.T) {
	for _, a := range []attack{
		{"eta is delta", drafted(func(_ *maker, d *draft) {
			delta, eta := scalar(11*17*23*31), scalar(13*19*29)
			d.secrets[1].Inverse(&eta).Mul(&d.secrets[1], &delta)
		}), "contribution 4 (Mallory): eta is +-delta"},
		{"eta is minus delta", drafted(func(_ *maker, d *draft) {
			delta, eta := scalar(11*17*23*31), scalar(13*19*29)
			d.secrets[1].Inverse(&eta).Mul(&d.secrets[1], &delta).Neg(&d.secrets[1])
		}), "contribution 4 (Mallory): eta is +-delta"},
		{"eta is gamma", drafted(func(_ *maker, d *draft) {
			eta := scalar(13 * 19 * 29)
			d.secrets[1].Inverse(&eta)
		}), "contribution 4 (Mallory): eta is +-gamma"},
		{"one secret for both", drafted(func(_ *maker, d *draft) { d.secrets[1] = d.secrets[0] }), "contribution 4 (Mallory): eta: the secret was used before, in contribution 4"},
		{"delta's secret again for eta", drafted(func(_ *maker, d *draft) { d.secrets[1] = scalar(17) }), "contribution 4 (Mallory): eta: the secret was used before, in contribution 2"},
		{"the proofs swapped", drafted(func(_ *maker, d *draft) {
			d.alter = func(shares [][]byte) {
				for i := 256; i < shareBytes; i++ {
					shares[0][i], shares[1][i] = shares[1][i], shares[0][i]
				}
			}
		}), "contribution 4 (Mallory): delta: the proof of knowledge"},
		{"committed points not divided", drafted(func(_ *maker, d *draft) {
			d.divide = []fr.Element{d.secrets[0], scalar(1)}
		}), "contribution 4 (Mallory): section CommittedPoints"},
		{"a committed point altered", altered(committedPoints, double(0)), "contribution 3 (Carol): section CommittedPoints"},
	} {
		t.Run(a.name, func(t *testing.T) { refused(t, a.make(t, committedCircuit), committedCircuit(t), a.refusal) })
	}
}

// The H points that E_j and K'_j are made of: E alone left undivided, the rest right.
func TestFoldedPointsAreDividedTogether(t *testing.T) {
	for name, circuit := range systems {
		t.Run(name, func(t *testing.T) {
			m := start(t, circuit(t), openPowers(t))
			before := append([]byte{}, m.key.sections[kPoints]...)
			m.contribute("Mallory", secrets(m.key.shape.system, 31, 37)...)
			copy(m.key.sections[kPoints][:g1Bytes], before)
			m.redigest()
			refused(t, m.bytes(), circuit(t), "contribution 1 (Mallory): section KPoints")
		})
	}
}

func TestAnotherCircuitIsRefused(t *testing.T) {
	m := three(t, committedCircuit)
	other := committedCircuit(t)
	other.matrices[0][0].value.SetUint64(2)
	refused(t, m.bytes(), other, "the initial key derived from circuit and .ptau")
	other = committedCircuit(t)
	other.shape.circuitHash[0] ^= 1
	refused(t, m.bytes(), other, "another circuit hash")
	refused(t, m.bytes(), toyCircuit(t), "other sizes")
}

func TestAnotherPtauIsRefused(t *testing.T) {
	m := three(t, toyCircuit)
	powers := openPowers(t)
	powers.digest[0] ^= 1
	_, err := verifyAll(m.bytes(), powers, toyCircuit(t), func(string, ...any) {})
	if err == nil || !strings.Contains(err.Error(), "the .ptau is not the one") {
		t.Fatalf("got %v", err)
	}
}

func TestTheStartMustBeTheInitialKey(t *testing.T) {
	m := start(t, toyCircuit(t), openPowers(t))
	two := scalar(2)
	m.key.sections[hPoints] = multiplied(m.key.sections[hPoints], &two)
	refused(t, m.bytes(), toyCircuit(t), "it is not the initial key")
}
