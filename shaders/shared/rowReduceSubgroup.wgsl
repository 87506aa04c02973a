enable subgroups;
// Sums and maxima over the LANES invocations that share a row, where these are exactly one subgroup: no memory, no barrier.
// The same two functions as rowReduce.wgsl.
fn rowSum(value: f32, lane: u32, slot: u32) -> f32 { return subgroupAdd(value); }
fn rowMax(value: f32, lane: u32, slot: u32) -> f32 { return subgroupMax(value); }
