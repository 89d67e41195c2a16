package process

// Look looks for the process's descendants, and tells whether it could.
func (p *Process) Look() bool {
	p.tree.mu.Lock()
	defer p.tree.mu.Unlock()
	_, missed := p.tree.look()
	return missed < short
}

// Freeze is the first half of a kill.
func (p *Process) Freeze() {
	p.tree.mu.Lock()
	defer p.tree.mu.Unlock()
	p.tree.freeze()
}
