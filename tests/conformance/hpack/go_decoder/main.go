// Decodes header blocks by golang.org/x/net/http2/hpack: a line of JSON in is the blocks of one connection, as
// hexadecimal text; a line out is their fields, [[name, value, …], …], or {"error": …}.
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"os"

	"golang.org/x/net/http2/hpack"
)

const maxLine = 64 << 20

func decodeAll(blocks []string) ([][]string, error) {
	all := [][]string{}
	decoder := hpack.NewDecoder(4096, nil)
	for _, block := range blocks {
		wire, err := hex.DecodeString(block)
		if err != nil {
			return nil, err
		}
		fields, err := decoder.DecodeFull(wire)
		if err != nil {
			return nil, err
		}
		flat := []string{}
		for _, field := range fields {
			flat = append(flat, field.Name, field.Value)
		}
		all = append(all, flat)
	}
	return all, nil
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 0, 1<<16), maxLine)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var blocks []string
		err := json.Unmarshal(lines.Bytes(), &blocks)
		var all [][]string
		if err == nil {
			all, err = decodeAll(blocks)
		}
		if err != nil {
			out.Encode(map[string]string{"error": err.Error()})
		} else {
			out.Encode(all)
		}
	}
}
