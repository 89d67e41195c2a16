package main

import "math"

// maxFiles has no bound that matters on Windows.
func maxFiles() int { return math.MaxInt }
