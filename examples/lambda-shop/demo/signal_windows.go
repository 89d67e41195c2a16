package main

import "os"

// reloadSignal does not exist on Windows.
var reloadSignal os.Signal
