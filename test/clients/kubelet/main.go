// Reads the pull secret of a pod as kubelet does, with kubelet's own package, and prints the user name and password that
// it would hand to the container runtime for an image: one JSON object a line, the best first.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	v1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/credentialprovider"
	"k8s.io/kubernetes/pkg/credentialprovider/secrets"
)

func main() {
	if err := lookUp(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func lookUp(file, image string) error {
	config, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	secret := v1.Secret{
		Type: v1.SecretTypeDockerConfigJson,
		Data: map[string][]byte{v1.DockerConfigJsonKey: config},
	}
	keyring, err := secrets.MakeDockerKeyring([]v1.Secret{secret}, &credentialprovider.BasicDockerKeyring{})
	if err != nil {
		return err
	}
	found, _ := keyring.Lookup(image)
	for _, each := range found {
		if err := json.NewEncoder(os.Stdout).Encode(each.AuthConfig); err != nil {
			return err
		}
	}
	return nil
}
