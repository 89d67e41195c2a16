module chaos

go 1.26

require (
	go.uber.org/goleak v1.3.0
	rootbridge v0.0.0
)

require (
	github.com/go-json-experiment/json v1.27.2 // indirect
	github.com/vmihailenco/msgpack/v5 v5.4.1 // indirect
	github.com/vmihailenco/tagparser/v2 v2.0.0 // indirect
)

replace rootbridge => ../../go-host
