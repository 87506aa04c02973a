/** The forms in which a frozen weight matrix lies on the device. */
export const WEIGHT_FORMATS = ['f32', 'f16'] as const;
export type WeightFormat = (typeof WEIGHT_FORMATS)[number];
