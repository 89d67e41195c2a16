package rootbridge

import "testing"

func TestAWorkerCannotAnswerACallWithWhatIsNoErrorOfACall(t *testing.T) {
	t.Parallel()
	for payload, want := range map[string]Code{
		`{"code":"boot_failed","message":"no"}`: CodeProtocolError,
		`{"code":"","message":"no"}`:            CodeProtocolError,
		`{"code":7,"message":"no"}`:             CodeProtocolError,
		`no`:                                    CodeProtocolError,
		`{"code":"exception","message":"no"}`:   CodeException,
		`{"code":"of_mine","message":"no"}`:     "of_mine",
	} {
		if e := answered(parseError([]byte(payload))); e.Code != want {
			t.Errorf("%s is taken for %q", payload, string(e.Code))
		}
	}
}
