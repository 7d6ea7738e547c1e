package manage_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skupper-host/skupper/router/amqp"
	"github.com/skupper-host/skupper/router/config"
	"github.com/skupper-host/skupper/router/manage"
)

func TestLosses(t *testing.T) {
	t.Parallel()
	node := manage.New(&fixture{config: config.New()})
	for _, row := range []struct {
		body   any
		status int
		want   any
	}{
		{amqp.List{}, manage.StatusOK, amqp.List{properties("change", int64(0), "connections", int64(2))}},
		{
			amqp.List{properties("type", "connector", "name", "up"), properties("type", "tcpListener", "name", "db", "attributes", amqp.List{"port", "host"})},
			manage.StatusOK,
			amqp.List{properties("change", int64(1), "connections", int64(5), "type", "tcpListener", "name", "db")},
		},
		{amqp.Map{}, manage.StatusBadRequest, amqp.Map{}},
		{amqp.List{"connector"}, manage.StatusBadRequest, amqp.Map{}},
	} {
		r, body := call(t, node, properties("operation", manage.OperationLosses, "type", "org.amqp.management", "name", "self"), row.body)
		if diff := cmp.Diff(row.want, body); diff != "" || r.Status != row.status {
			t.Errorf("%v: status %d, want %d (-want +got):\n%s", row.body, r.Status, row.status, diff)
		}
	}
}
