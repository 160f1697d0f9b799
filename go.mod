module github.com/wangkuiyi/orrery

go 1.26

require github.com/wangkuiyi/gotorch v0.0.0

replace github.com/wangkuiyi/gotorch => ./gotorch
