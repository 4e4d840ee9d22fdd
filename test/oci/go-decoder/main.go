// Reads a manifest in base64 a line, decodes it as docker, containerd, podman, crane and oras do, and answers a line of JSON:
// what it refers to, or why it cannot be read.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

type outcome struct {
	Error      string   `json:"error,omitempty"`
	References []string `json:"references"`
}

func decode(bytes []byte) outcome {
	var index v1.Index
	if err := json.Unmarshal(bytes, &index); err != nil {
		return outcome{Error: err.Error()}
	}
	var image v1.Manifest
	if err := json.Unmarshal(bytes, &image); err != nil {
		return outcome{Error: err.Error()}
	}
	descriptors := append([]v1.Descriptor{}, index.Manifests...)
	if image.Config.Digest != "" {
		descriptors = append(descriptors, image.Config)
	}
	descriptors = append(descriptors, image.Layers...)
	references := []string{}
	for _, one := range descriptors {
		references = append(references, fmt.Sprintf("%s %d", one.Digest, one.Size))
	}
	return outcome{References: references}
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	answers := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		bytes, err := base64.StdEncoding.DecodeString(lines.Text())
		if err != nil {
			panic(err)
		}
		if err := answers.Encode(decode(bytes)); err != nil {
			panic(err)
		}
	}
}
