// Package captures reads testdata/captures: traffic recorded between unmodified
// skupper-router processes (3.5.0, commit e2ec51a, qpid-proton 0.41.0-dev), for
// golden and replay tests. Only tests import it.
//
// A capture is one connection. It yields what each side sent in the order of
// arrival, either as the chunks that were read or cut into frames:
//
//	for _, f := range captures.Load(t, "control/ii-plain").Frames(t) {
//		f.From, f.Time, f.Data
//	}
//
// README.md beside the data says what was recorded and which parts are random.
// The package knows framing and nothing else of AMQP, so that the codec can be
// tested with it.
package captures
