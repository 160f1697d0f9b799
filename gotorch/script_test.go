package gotorch_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"
)

func network() *nn.SequentialModule {
	return nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1, 1, 1, true, "zeros"), nn.ReLU(),
		nn.BatchNorm2d(4, 1e-5, 0.1, true, true), nn.Flatten())
}

func TestRecordNotesEveryOperation(t *testing.T) {
	torch.Scoped(func(*torch.Scope) {
		net := network()
		net.Train(false)
		x := torch.Rand([]int64{2, 3, 8, 8}, false)
		inputs := []torch.Tensor{x}
		for _, named := range net.Named() {
			inputs = append(inputs, named.Tensor)
		}
		var g *torch.Graph
		torch.NoGrad(func() {
			g = torch.Record(inputs, func() torch.Tensor { return net.Forward(x).(torch.Tensor) })
		})
		var ops []string
		for _, n := range g.Nodes {
			ops = append(ops, n.Op)
		}
		want := "aten::_convolution aten::relu aten::batch_norm aten::flatten"
		if got := strings.Join(ops, " "); got != want {
			t.Fatalf("recorded %s, want %s", got, want)
		}
		conv := g.Nodes[0]
		if conv.Args[0].Name != "input" || conv.Args[0].Value != g.Inputs[0] || conv.Args[1].Value != g.Inputs[1] {
			t.Errorf("conv2d reads %+v, want the input and the first parameter", conv.Args)
		}
		if s := conv.Args[3]; s.Name != "stride" || len(s.List) != 2 || *s.List[0].Int != 2 {
			t.Errorf("the stride is recorded as %+v", s)
		}
		if fmt.Sprint(g.Nodes[3].Shapes[0]) != "[2 64]" || g.Nodes[3].Out[0] != g.Output {
			t.Errorf("the last operation is %+v, want the output of shape [2 64]", g.Nodes[3])
		}
		if len(g.Constants) != 0 {
			t.Errorf("%d constants, want none: all tensors are inputs", len(g.Constants))
		}
	})
}

func TestRecordAfterAPanicIsOver(t *testing.T) {
	torch.Scoped(func(*torch.Scope) {
		x := torch.Ones([]int64{2}, false)
		err := torch.Try(func() {
			torch.Record([]torch.Tensor{x}, func() torch.Tensor { return x.View(5) })
		})
		if err == nil {
			t.Fatal("a view of 2 elements as 5 was recorded")
		}
		g := torch.Record([]torch.Tensor{x}, func() torch.Tensor { return x.MulScalar(3) })
		if len(g.Nodes) != 1 || g.Nodes[0].Op != "aten::mul" {
			t.Errorf("recorded %+v, want one multiplication", g.Nodes)
		}
	})
}

func TestScriptSavesAndLoads(t *testing.T) {
	torch.Scoped(func(*torch.Scope) {
		w := torch.Rand([]int64{3, 2}, false)
		s := torch.DefineScript("def forward(self, x):\n    return torch.linear(x, self.w, None)\n", map[string]torch.Tensor{"w": w})
		defer s.Close()
		path := filepath.Join(t.TempDir(), "m.pt")
		s.Save(path, map[string]string{"classes.json": `["a","b","c"]`})
		loaded := torch.LoadScript(path, torch.NewDevice("cpu"))
		defer loaded.Close()
		x := torch.Rand([]int64{4, 2}, false)
		if !torch.Equal(loaded.Forward(x), torch.Linear(x, w, torch.Tensor{})) {
			t.Error("the loaded module computes something else")
		}
	})
}

func TestScriptErrorsAreTold(t *testing.T) {
	torch.Scoped(func(*torch.Scope) {
		if err := torch.Try(func() { torch.DefineScript("def forward(self, x):\n    return torch.nosuch(x)\n", nil) }); err == nil ||
			!strings.Contains(err.Error(), "nosuch") {
			t.Errorf("an unknown operation: %v", err)
		}
		half := filepath.Join(t.TempDir(), "half.pt")
		if err := os.WriteFile(half, []byte("PK\x03\x04"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := torch.Try(func() { torch.LoadScript(half, torch.NewDevice("cpu")) }); err == nil {
			t.Error("half a file was loaded")
		}
		s := torch.DefineScript("def forward(self, x):\n    return x\n", nil)
		s.Close()
		s.Close()
		if err := torch.Try(func() { s.Forward(torch.Ones([]int64{1}, false)) }); err == nil {
			t.Error("a closed module was used")
		}
	})
}
