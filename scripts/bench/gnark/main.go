// gnark's Groth16 on files that scripts/bench wrote (trusted: nothing is checked).
//
//	bench setup CIRCUIT.r1cs KEY          bench prove KEY CIRCUIT.r1cs WITNESS.wtns RUNS
//
// Prints one line of JSON: seconds and CPU seconds of each proof, and seconds of reading the key.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/consensys/gnark-crypto/ecc"
	"github.com/consensys/gnark/backend/groth16"
	"github.com/consensys/gnark/backend/witness"
	"github.com/consensys/gnark/constraint"
	cs "github.com/consensys/gnark/constraint/bn254"
	"github.com/consensys/gnark/logger"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

type reader struct{ data []byte }

func (r *reader) take(count int) []byte {
	head := r.data[:count]
	r.data = r.data[count:]
	return head
}

func (r *reader) u32() int { return int(binary.LittleEndian.Uint32(r.take(4))) }

func (r *reader) element() *big.Int {
	little := r.take(32)
	var bigEndian [32]byte
	for i, b := range little {
		bigEndian[31-i] = b
	}
	return new(big.Int).SetBytes(bigEndian[:])
}

// section is the content of one section of iden3's container.
func section(path string, wanted int) *reader {
	data, err := os.ReadFile(path)
	check(err)
	r := &reader{data[12:]}
	for {
		id := r.u32()
		content := r.take(int(binary.LittleEndian.Uint64(r.take(8))))
		if id == wanted {
			return &reader{content}
		}
	}
}

func readCircuit(path string) (system *cs.R1CS, nPublic int) {
	head := section(path, 1)
	head.take(36)
	nWires, outputs, inputs := head.u32(), head.u32(), head.u32()
	head.take(12)
	nRows := head.u32()
	nPublic = outputs + inputs
	system = cs.NewR1CS(nRows)
	blueprint := system.AddBlueprint(&constraint.BlueprintGenericR1C{})
	system.AddPublicVariable("1")
	for j := 1; j < nWires; j++ {
		if j <= nPublic {
			system.AddPublicVariable(strconv.Itoa(j))
		} else {
			system.AddSecretVariable(strconv.Itoa(j))
		}
	}
	body := section(path, 2)
	for i := 0; i < nRows; i++ {
		var sides [3]constraint.LinearExpression
		for k := range sides {
			for terms := body.u32(); terms > 0; terms-- {
				wire := body.u32()
				sides[k] = append(sides[k], system.MakeTerm(system.FromInterface(body.element()), wire))
			}
		}
		system.AddR1C(constraint.R1C{L: sides[0], R: sides[1], O: sides[2]}, blueprint)
	}
	return system, nPublic
}

func readWitness(path string, nPublic int) witness.Witness {
	body := section(path, 2)
	count := len(body.data) / 32
	body.take(32)
	values := make(chan any)
	go func() {
		for i := 1; i < count; i++ {
			values <- body.element()
		}
		close(values)
	}()
	full, err := witness.New(ecc.BN254.ScalarField())
	check(err)
	check(full.Fill(nPublic, count-1-nPublic, values))
	return full
}

type dumped interface {
	WriteDump(io.Writer) error
	ReadDump(io.Reader) error
}

func setup(circuit, key string) {
	system, _ := readCircuit(circuit)
	pk, vk, err := groth16.Setup(system)
	check(err)
	file, err := os.Create(key)
	check(err)
	buffered := bufio.NewWriterSize(file, 1<<20)
	check(pk.(dumped).WriteDump(buffered))
	check(buffered.Flush())
	check(file.Close())
	verifying, err := os.Create(key + ".vk")
	check(err)
	_, err = vk.WriteRawTo(verifying)
	check(err)
	check(verifying.Close())
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)*1e-6 }
	return seconds(usage.Utime) + seconds(usage.Stime)
}

func readKeys(key string) (groth16.ProvingKey, groth16.VerifyingKey, float64) {
	start := time.Now()
	pk := groth16.NewProvingKey(ecc.BN254)
	file, err := os.Open(key)
	check(err)
	check(pk.(dumped).ReadDump(bufio.NewReaderSize(file, 1<<20)))
	check(file.Close())
	load := time.Since(start).Seconds()
	vk := groth16.NewVerifyingKey(ecc.BN254)
	verifying, err := os.Open(key + ".vk")
	check(err)
	_, err = vk.ReadFrom(verifying)
	check(err)
	check(verifying.Close())
	return pk, vk, load
}

func prove(key, circuit, witnessPath string, runs int) {
	system, nPublic := readCircuit(circuit)
	full := readWitness(witnessPath, nPublic)
	public, err := full.Public()
	check(err)
	pk, vk, load := readKeys(key)
	var seconds, cpu []float64
	for i := 0; i < runs; i++ {
		start, before := time.Now(), cpuSeconds()
		proof, err := groth16.Prove(system, pk, full)
		check(err)
		seconds = append(seconds, time.Since(start).Seconds())
		cpu = append(cpu, cpuSeconds()-before)
		check(groth16.Verify(proof, vk, public))
	}
	line, err := json.Marshal(map[string]any{"load": load, "prove": seconds, "cpu": cpu})
	check(err)
	fmt.Println(string(line))
}

func main() {
	logger.Disable()
	arguments := os.Args[1:]
	switch {
	case len(arguments) == 3 && arguments[0] == "setup":
		setup(arguments[1], arguments[2])
	case len(arguments) == 5 && arguments[0] == "prove":
		runs, err := strconv.Atoi(arguments[4])
		check(err)
		prove(arguments[1], arguments[2], arguments[3], runs)
	default:
		panic("setup CIRCUIT KEY | prove KEY CIRCUIT WITNESS RUNS")
	}
}
