package nn

import torch "github.com/wangkuiyi/gotorch"

// A ForwardHook sees what a module was given and what it returned. The tensors are the network's own:
// a hook reads them at once and does not keep them.
type ForwardHook func(module IModule, input, output torch.Tensor)

// hookEntry gives a hook an identity, so that it can be removed.
type hookEntry struct{ call ForwardHook }

// RegisterForwardHook calls hook after every Forward of the module, as torch.nn.Module's method of that
// name does, until remove is called. Layers (modules that are no containers) call their hooks; register
// on each through Apply:
//
//	net.Apply(func(m nn.IModule) { m.(*nn.Module).RegisterForwardHook(hook) })
//
// A Sequential runs its layers one by one, not fused, while one of them has a hook.
func (m *Module) RegisterForwardHook(hook ForwardHook) (remove func()) {
	entry := &hookEntry{hook}
	m.hooks = append(m.hooks, entry)
	return func() {
		for i, e := range m.hooks {
			if e == entry {
				m.hooks = append(m.hooks[:i:i], m.hooks[i+1:]...)
				return
			}
		}
	}
}

// Forwarded ends the Forward of a layer outside this package: it calls the layer's hooks and returns output.
func (m *Module) Forwarded(input, output torch.Tensor) torch.Tensor {
	return m.forwarded(input, output)
}

// forwarded calls the hooks of a layer that made output of input, and returns output.
func (m *Module) forwarded(input, output torch.Tensor) torch.Tensor {
	if row := m.observed(); row.T != nil {
		torch.ActivationStatistics(output, row)
	}
	for _, e := range m.hooks {
		e.call(m.outer, input, output)
	}
	return output
}

// hooked tells whether one of the modules has a hook.
func hooked(modules []IModule) bool {
	for _, m := range modules {
		if h, ok := m.(interface{ hasHooks() bool }); ok && h.hasHooks() {
			return true
		}
	}
	return false
}

func (m *Module) hasHooks() bool { return len(m.hooks) > 0 }
