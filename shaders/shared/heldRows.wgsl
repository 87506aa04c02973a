// With HOLD a lane keeps its OWNED rows of some arrays in workgroup memory, and writes those that are sums back at the end: a processor
// driver minds the bounds of storage at every load, and not of this. Every lane meets only its own there and needs no barrier.

// Where vector c of the r-th row of a lane lies in such an array
fn slot(r: u32, c: u32, lane: u32) -> u32 { return (c * OWNED + r) * LANES + lane; }
