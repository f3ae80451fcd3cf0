namespace edgeprune {}
