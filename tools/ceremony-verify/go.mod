module zkchain/ceremony-verify

go 1.25.7

require (
	github.com/consensys/gnark-crypto v0.21.0
	golang.org/x/crypto v0.54.0
	lukechampine.com/blake3 v1.4.1
)
