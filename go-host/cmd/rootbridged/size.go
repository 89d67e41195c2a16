package main

import "github.com/alecthomas/units"

// size is a number of bytes, written as 512KiB, 32MiB, 1GiB or 100B.
type size = units.Base2Bytes

// roughly is a number of bytes for people.
func roughly(bytes int64) string { return size(bytes).Round(1).String() }
