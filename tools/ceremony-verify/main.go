// Ceremony-verify checks a phase-2 ceremony of zkchain (docs/spec/ceremony.md) without any of zkchain's code.
//
//	ceremony-verify --ptau FILE --constraints FILE CEREMONY
//
// The constraints come from `zkchain circom export BUNDLE --rows FILE` (either proof system), or are an .r1cs file. Exit
// code 0: every check has passed. 1: refused; the last line says why, and names the contribution. 2: wrong usage.
package main

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
)

// attestations must all be in the transcript; the flag may be given more than once.
type attestations []string

func (a *attestations) String() string { return strings.Join(*a, ",") }

func (a *attestations) Set(text string) error {
	digits := strings.TrimPrefix(strings.ToLower(text), "0x")
	if raw, err := hex.DecodeString(digits); err != nil || (len(raw) != 32 && len(raw) != snarkjsHash) {
		return fmt.Errorf("expected 32 bytes in hexadecimal, or the 64 that snarkjs showed")
	}
	*a = append(*a, digits)
	return nil
}

func main() {
	ptauPath := flag.String("ptau", "", "powers of tau (.ptau) that the ceremony was started from")
	constraintsPath := flag.String("constraints", "", "the circuit's constraints: a file of ours, or .r1cs")
	var expected attestations
	flag.Var(&expected, "attestation", "`hex` of a contribution that must be in it; may be given more than once")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: ceremony-verify --ptau FILE --constraints FILE [--attestation HEX] CEREMONY")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 || *ptauPath == "" || *constraintsPath == "" {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *ptauPath, *constraintsPath, expected); err != nil {
		fmt.Println("REFUSED:", err)
		os.Exit(1)
	}
}

func run(path, ptauPath, constraintsPath string, expected attestations) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	circuit, err := loadConstraints(constraintsPath)
	if err != nil {
		return err
	}
	powers, err := openPtau(ptauPath)
	if err != nil {
		return err
	}
	defer powers.file.file.Close()
	c, err := verifyAll(data, powers, circuit, func(format string, values ...any) { fmt.Printf("- "+format+"\n", values...) })
	if err != nil {
		return err
	}
	if err := c.contains(expected); err != nil {
		return err
	}
	c.report()
	return nil
}

// contains refuses a transcript from which a contribution that somebody attested is missing.
func (c *ceremony) contains(expected attestations) error {
	there := map[string]bool{}
	for _, hash := range c.transcripts[1:] {
		there[fmt.Sprintf("%x", hash)] = true
	}
	for i := range c.records {
		there[fmt.Sprintf("%x", c.records[i].shown)] = true
	}
	for _, attestation := range expected {
		if !there[attestation] {
			return fmt.Errorf("no contribution has the attestation %s: it was dropped, or one before it", attestation)
		}
	}
	return nil
}

// report says what was verified, and what nobody can verify for the reader.
func (c *ceremony) report() {
	people := 0
	fmt.Printf("\ncircuit hash  %x\n.ptau sha256  %x (power %d)\nstart         %x\n", c.circuitHash, c.ptauDigest, c.power, c.transcripts[0])
	for i := range c.records {
		rec := &c.records[i]
		fmt.Printf("%4d          %x  %s (%s)\n", rec.number, c.transcripts[i+1], rec.name, kindNames[rec.kind])
		if rec.shown != nil {
			fmt.Printf("              snarkjs showed %x\n", rec.shown)
		}
		if rec.kind == byPerson || rec.person {
			people++
		}
	}
	fmt.Printf("transcript    %x\n", c.transcripts[len(c.records)])
	fmt.Println("\nOK. Compare each line with what its contributor has published.")
	if people == 0 {
		fmt.Println("Nobody has contributed: whoever holds a beacon's value can forge proofs.")
	}
}
