package main

import "os"

// reloadSignals is empty: Windows has no such signal. rootbridged reload does it.
var reloadSignals []os.Signal
