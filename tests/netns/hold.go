// SPDX-License-Identifier: GPL-2.0-or-later
// A Go program with one connection: it calls the kernel by itself, and sets keepalive of its own.
package main

import (
	"fmt"
	"net"
	"os"
)

func main() {
	connection, err := net.Dial("tcp", os.Args[1])
	if err == nil {
		_, err = connection.Read(make([]byte, 1))
	}
	fmt.Println(err)
}
