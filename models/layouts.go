package models

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A rule rewrites the names that match it.
type rule struct {
	ours    *regexp.Regexp
	replace func(groups []string) string
}

// rewrite is the layout of rules, of which the first that matches the whole name counts.
func rewrite(name string, rules ...rule) layout {
	return layout{name: name, foreign: func(ours string) string {
		for _, r := range rules {
			if groups := r.ours.FindStringSubmatch(ours); groups != nil {
				return r.replace(groups)
			}
		}
		return ""
	}}
}

// to is a rule with a template: $1, $2 stand for the groups.
func to(pattern, template string) rule {
	r := regexp.MustCompile("^" + pattern + "$")
	return rule{r, func(groups []string) string {
		return string(r.ExpandString(nil, template, groups[0], r.FindStringSubmatchIndex(groups[0])))
	}}
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(fmt.Sprintf("models: %q matched as a number", s)) // the patterns match digits only
	}
	return n
}

// ResNet: timm has torchvision's names; Hugging Face numbers what is inside a block.
var resnetLayouts = []layout{
	own("torchvision, timm"),
	rewrite("Hugging Face",
		to(`conv1\.(.*)`, "resnet.embedder.embedder.convolution.$1"),
		to(`bn1\.(.*)`, "resnet.embedder.embedder.normalization.$1"),
		to(`fc\.(.*)`, "classifier.1.$1"),
		rule{regexp.MustCompile(`^layer(\d)\.(\d+)\.(conv|bn)(\d)\.(.*)$`), func(g []string) string {
			part := map[string]string{"conv": "convolution", "bn": "normalization"}[g[3]]
			return fmt.Sprintf("resnet.encoder.stages.%d.layers.%s.layer.%d.%s.%s", number(g[1])-1, g[2], number(g[4])-1, part, g[5])
		}},
		rule{regexp.MustCompile(`^layer(\d)\.(\d+)\.downsample\.(\d)\.(.*)$`), func(g []string) string {
			part := []string{"convolution", "normalization"}[number(g[3])]
			return fmt.Sprintf("resnet.encoder.stages.%d.layers.%s.shortcut.%s.%s", number(g[1])-1, g[2], part, g[4])
		}}),
}

// ConvNeXt: timm and Hugging Face count blocks within stages.
var convNeXtLayouts = []layout{
	own("torchvision"),
	rewrite("timm",
		to(`features\.0\.(\d)\.(.*)`, "stem.$1.$2"),
		convNeXtDown("stages.%d.downsample.%s.%s"),
		convNeXtBlockRule("stages.%d.blocks.%s.%s", "gamma", "conv_dw", "norm", "mlp.fc1", "mlp.fc2"),
		to(`classifier\.0\.(.*)`, "head.norm.$1"), to(`classifier\.2\.(.*)`, "head.fc.$1")),
	rewrite("Hugging Face",
		to(`features\.0\.0\.(.*)`, "convnext.embeddings.patch_embeddings.$1"),
		to(`features\.0\.1\.(.*)`, "convnext.embeddings.layernorm.$1"),
		convNeXtDown("convnext.encoder.stages.%d.downsampling_layer.%s.%s"),
		convNeXtBlockRule("convnext.encoder.stages.%d.layers.%s.%s", "layer_scale_parameter", "dwconv", "layernorm", "pwconv1", "pwconv2"),
		to(`classifier\.0\.(.*)`, "convnext.layernorm.$1"), to(`classifier\.2\.(.*)`, "classifier.$1")),
}

// convNeXtDown is what shrinks the maps, features 2, 4 and 6.
func convNeXtDown(format string) rule {
	return rule{regexp.MustCompile(`^features\.([246])\.(\d)\.(.*)$`), func(g []string) string {
		return fmt.Sprintf(format, number(g[1])/2, g[2], g[3])
	}}
}

// convNeXtBlockRule is a block, in features 1, 3, 5 and 7.
func convNeXtBlockRule(format, scale, depthwise, norm, wide, narrow string) rule {
	part := map[string]string{"0": depthwise, "2": norm, "3": wide, "5": narrow}
	return rule{regexp.MustCompile(`^features\.([1357])\.(\d+)\.(?:block\.(\d)\.(.*)|layer_scale)$`), func(g []string) string {
		inside := scale
		if g[3] != "" {
			inside = part[g[3]] + "." + g[4]
		}
		return fmt.Sprintf(format, number(g[1])/2, g[2], inside)
	}}
}

// MobileNetV3: timm counts blocks within stages and keeps what torchvision calls the classifier's first
// layer as a convolution; its BatchNorms have another eps.
var mobileLayouts = []layout{own("torchvision"), mobileTimm("timm (small)", mobileSmall, 1e-5), mobileTimm("timm (large)", mobileLarge, 1e-5)}

// mobileTimm names the parts of the rows as timm does.
func mobileTimm(name string, rows []mobileRow, eps float64) layout {
	type place struct {
		stage, index int
		first        bool // no expansion: torchvision's block has one convolution less
	}
	var places []place
	in := int64(mobileStem)
	for i, row := range rows {
		p := place{first: row.wide == in}
		if i > 0 {
			p = place{places[i-1].stage, places[i-1].index + 1, row.wide == in}
			if timmStageBegins(rows, i) {
				p.stage, p.index = p.stage+1, 0
			}
		}
		places, in = append(places, p), row.out
	}
	last := len(rows) + 1
	block := regexp.MustCompile(`^features\.(\d+)\.block\.(\d)\.(\d|fc\d)\.(.*)$`)
	l := rewrite(name,
		to(`features\.0\.0\.(.*)`, "conv_stem.$1"), to(`features\.0\.1\.(.*)`, "bn1.$1"),
		to(fmt.Sprintf(`features\.%d\.0\.(.*)`, last), fmt.Sprintf("blocks.%d.0.conv.$1", places[len(places)-1].stage+1)),
		to(fmt.Sprintf(`features\.%d\.1\.(.*)`, last), fmt.Sprintf("blocks.%d.0.bn1.$1", places[len(places)-1].stage+1)),
		to(`classifier\.0\.(.*)`, "conv_head.$1"), to(`classifier\.3\.(.*)`, "classifier.$1"),
		rule{block, func(g []string) string {
			i := number(g[1]) - 1
			if i < 0 || i >= len(rows) {
				return ""
			}
			return fmt.Sprintf("blocks.%d.%d.%s.%s", places[i].stage, places[i].index, mobileTimmPart(rows[i], places[i].first, number(g[2]), g[3]), g[4])
		}})
	l.normEps = eps
	return l
}

// timmStageBegins tells whether row i begins one of timm's stages: where the maps are halved, and in the
// large network where the channels go to 112.
func timmStageBegins(rows []mobileRow, i int) bool {
	return rows[i].stride == 2 || rows[i].out != rows[i-1].out && rows[i].out != 16
}

// mobileTimmPart is timm's name of a convolution (part 0) or BatchNorm (part 1) of a block.
func mobileTimmPart(row mobileRow, narrow bool, layer int, part string) string {
	if strings.HasPrefix(part, "fc") {
		return map[string]string{"fc1": "se.conv_reduce", "fc2": "se.conv_expand"}[part]
	}
	names := [][2]string{{"conv_pw", "bn1"}, {"conv_dw", "bn2"}, {"se", ""}, {"conv_pwl", "bn3"}}
	if narrow {
		names = [][2]string{{"conv_dw", "bn1"}, {"se", ""}, {"conv_pw", "bn2"}}
	}
	if !row.squeeze {
		names = append(names[:len(names)-2:len(names)-2], names[len(names)-1])
	}
	if layer >= len(names) {
		return ""
	}
	return names[layer][number(part)]
}

// EfficientNet-Lite: the PyPI package's names are ours; timm counts blocks within stages.
var liteLayouts = []layout{own("efficientnet_lite_pytorch"), liteTimm(1.0), liteTimm(1.1), liteTimm(1.2), liteTimm(1.4), liteTimm(1.8)}

func liteTimm(depth float64) layout {
	var stages, indices []int
	for i, s := range liteStages {
		for j := range liteRepeats(i, s.repeats, depth) {
			stages, indices = append(stages, i), append(indices, int(j))
		}
	}
	wide := map[string]string{"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2", "_project_conv": "conv_pwl", "_bn2": "bn3"}
	first := map[string]string{"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
	return rewrite("timm",
		to(`_conv_stem\.(.*)`, "conv_stem.$1"), to(`_bn0\.(.*)`, "bn1.$1"),
		to(`_conv_head\.(.*)`, "conv_head.$1"), to(`_bn1\.(.*)`, "bn2.$1"), to(`_fc\.(.*)`, "classifier.$1"),
		rule{regexp.MustCompile(`^_blocks\.(\d+)\.(\w+)\.(.*)$`), func(g []string) string {
			i, names := number(g[1]), wide
			if i >= len(stages) {
				return ""
			}
			if i == 0 {
				names = first
			}
			return fmt.Sprintf("blocks.%d.%d.%s.%s", stages[i], indices[i], names[g[2]], g[3])
		}})
}
