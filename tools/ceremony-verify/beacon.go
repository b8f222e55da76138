package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/big"

	bls "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bn254"
	"github.com/consensys/gnark-crypto/ecc/bn254/fr"
)

// checkBeacon is check 3.7: the randomness is the source's, and the secrets come from it.
func (rec *record) checkBeacon(context [32]byte, previous []trapdoorPoints) error {
	if err := rec.checkSource(); err != nil {
		return err
	}
	randomness := rec.source[16:48]
	for k := range rec.shares {
		label := keccak([]byte(table[k].label))
		seed := keccak([]byte("zkchain/ceremony/beacon/1"), label[:], context[:], randomness)
		secret, nonce := wide(seed, 0, 1), wide(seed, 2, 3)
		s := &rec.shares[k]
		expected := derive(secret, nonce, &previous[k].one, context, table[k].label, s.rawNew1)
		if !s.p.Equal(&expected.p) || !s.r.Equal(&expected.r) || !s.s.Equal(&expected.s) {
			return rec.refuse("%s: its secret is not the beacon's", table[k].label)
		}
	}
	return nil
}

// derive is what a contributor with this secret and nonce writes.
func derive(secret, nonce fr.Element, previous *bn254.G1Affine, context [32]byte, label string, new1 []byte) (s share) {
	var scalar big.Int
	s.p.ScalarMultiplication(&generator1, secret.BigInt(&scalar))
	s.r.ScalarMultiplication(previous, nonce.BigInt(&scalar))
	hash := keccak([]byte(label))
	challenge := keccak([]byte("zkchain/cg16/pok/1"), hash[:], context[:], encodeG1(previous), new1, encodeG1(&s.p), encodeG1(&s.r))
	var ch fr.Element
	ch.SetBigInt(new(big.Int).SetBytes(challenge[:]))
	s.s.Mul(&ch, &secret).Add(&s.s, &nonce)
	return s
}

const sourceHead = 48

func (rec *record) checkSource() error {
	source := rec.source
	if len(source) < sourceHead || !zeros(source[1:8]) {
		return rec.refuse("a beacon's source is too short, or not zero where it should be")
	}
	rest, randomness := source[sourceHead:], source[16:48]
	if rec.kind == byHash {
		exponent := source[0]
		if exponent > 24 || !zeros(source[8:16]) || len(rest) < 16 || len(rest) > 64 {
			return rec.refuse("a hash beacon of 2^%d iterations on %d bytes", exponent, len(rest))
		}
		if !bytes.Equal(iterated(rest, exponent), randomness) {
			return rec.refuse("its randomness is not the iterated hash of its start")
		}
		return nil
	}
	signature, err := rec.verifyDrand(source[0], binary.LittleEndian.Uint64(source[8:16]), rest)
	if err != nil {
		return err
	}
	if digest := sha256.Sum256(signature); !bytes.Equal(digest[:], randomness) {
		return rec.refuse("its randomness is not the hash of drand's signature")
	}
	return nil
}

func iterated(start []byte, exponent byte) []byte {
	for range uint64(1) << exponent {
		digest := sha256.Sum256(start)
		start = digest[:]
	}
	return start
}

// --------------------------------------------------------------------------------------------------------------- drand

const (
	quicknet     = 1
	defaultChain = 2
	blsG1, blsG2 = 48, 96
)

// drand's public keys: quicknet signs on G1, the default chain on G2.
var (
	quicknetKey = decodeHex("83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451" +
		"0d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a")
	defaultKey  = decodeHex("868f005eb8e6e4ca0a47c8a77ceaa5309a47978a7c71bc5cce96366b5d7a569937c529eeda66c7293784a9402801af31")
	defaultSeed = decodeHex("176f93498eac9ca337150b46d21dd58673ea4e3581185f869672e59fa4cb390a")
)

func decodeHex(text string) []byte {
	out, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return out
}

// verifyDrand returns the round's own signature.
func (rec *record) verifyDrand(chain byte, round uint64, rest []byte) ([]byte, error) {
	word := binary.BigEndian.AppendUint64(nil, round)
	switch {
	case round == 0:
		return nil, rec.refuse("drand has no round 0")
	case chain == quicknet && len(rest) == blsG1:
		digest := sha256.Sum256(word)
		if !verifyQuicknet(digest[:], rest) {
			return nil, rec.refuse("not drand's signature of round %d of quicknet", round)
		}
		return rest, nil
	case chain == defaultChain:
		before := blsG2
		if round == 1 {
			before = len(defaultSeed)
		}
		if len(rest) != blsG2+before {
			break
		}
		previous, signature := rest[:before], rest[before:]
		digest := sha256.Sum256(append(append([]byte{}, previous...), word...))
		if !verifyDefault(digest[:], signature) {
			return nil, rec.refuse("not drand's signature of round %d of the default chain", round)
		}
		return signature, nil
	}
	return nil, rec.refuse("drand's chain %d with %d bytes of signature", chain, len(rest))
}

// verifyQuicknet: e(signature, -g2) e(hash(message), key) = 1.
func verifyQuicknet(message, signature []byte) bool {
	var s bls.G1Affine
	var key bls.G2Affine
	if !compressed(signature) || unread(s.SetBytes(signature)) || unread(key.SetBytes(quicknetKey)) || s.IsInfinity() {
		return false
	}
	hash, err := bls.HashToG1(message, []byte("BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"))
	if err != nil {
		return false
	}
	_, _, _, g2 := bls.Generators()
	g2.Neg(&g2)
	ok, err := bls.PairingCheck([]bls.G1Affine{s, hash}, []bls.G2Affine{g2, key})
	return err == nil && ok
}

// verifyDefault: e(-g1, signature) e(key, hash(message)) = 1.
func verifyDefault(message, signature []byte) bool {
	var s bls.G2Affine
	var key bls.G1Affine
	if !compressed(signature) || unread(s.SetBytes(signature)) || unread(key.SetBytes(defaultKey)) || s.IsInfinity() {
		return false
	}
	hash, err := bls.HashToG2(message, []byte("BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_"))
	if err != nil {
		return false
	}
	_, _, g1, _ := bls.Generators()
	g1.Neg(&g1)
	ok, err := bls.PairingCheck([]bls.G1Affine{g1, key}, []bls.G2Affine{s, hash})
	return err == nil && ok
}

func compressed(data []byte) bool { return data[0]&0x80 != 0 }

// unread: SetBytes did not take a point of the subgroup.
func unread(_ int, err error) bool { return err != nil }
