module zkchain/ceremony-verify

go 1.25.7

require (
	github.com/consensys/gnark-crypto v0.21.0
	golang.org/x/crypto v0.54.0
	lukechampine.com/blake3 v1.4.1
)

require (
	github.com/bits-and-blooms/bitset v1.24.6 // indirect
	github.com/klauspost/cpuid/v2 v2.0.9 // indirect
	golang.org/x/sys v0.47.0 // indirect
)
