package lambda_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("ROOTBRIDGE_TEST_FUNCTION"); dir != "" {
		playFunction(dir)
	}
	goleak.VerifyTestMain(m)
}
