/** Numbers that carry a unit in their name. Aliases only: they cost nothing and are read everywhere. */
export type Tokens = number;
export type Steps = number;
export type Bytes = number;
export type Milliseconds = number;
export type Seconds = number;
