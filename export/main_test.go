package export

import (
	"os"
	"testing"

	"github.com/wangkuiyi/gotorch/leaktest"
)

func TestMain(m *testing.M) { os.Exit(leaktest.Main(m)) }
