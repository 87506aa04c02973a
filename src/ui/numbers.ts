/** How numbers are written for people. A unit stays on the line of its number. */
import type { Bytes, Milliseconds } from '../units';

const whole = new Intl.NumberFormat('en');
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const day = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' });

export const count = (value: number): string => whole.format(value);
export const compact = (value: number): string => short.format(value);
export const date = (value: number): string => day.format(value);
export const loss = (value: number): string => value.toFixed(3);

export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

export function percent(share: number): string {
  const value = share * 100;
  return `${value.toFixed(value === 0 || value === 100 || value >= 10 ? 0 : 1)}\u00a0%`;
}

/** How much of something is done, in whole percents: 100 only when all of it is. */
export function percentDone(share: number): string {
  // 29 of 100 must not become 28 by the last bit of the product
  return `${Math.floor(share * 100 + 1e-9)}\u00a0%`;
}

export function bytes(value: Bytes): string {
  if (value < 1024) return `${count(value)}\u00a0B`;
  const units = ['KiB', 'MiB', 'GiB'];
  // 1004 of a unit is read as 1.0 of the next
  const power = Math.min(units.length, Math.floor(Math.log2((value * 1024) / 1000) / 10));
  const scaled = value / 2 ** (10 * power);
  return `${scaled.toFixed(scaled < 10 ? 1 : 0)}\u00a0${units[power - 1] ?? ''}`;
}

/** A learning rate, as the form has it; powers of ten only where it would be all zeros. */
export function rate(value: number): string {
  if (value === 0 || value >= 1e-5) return String(Number(value.toPrecision(3)));
  return value.toExponential(2).replace(/\.?0+e/, 'e');
}

export function duration(value: Milliseconds): string {
  if (value > 0 && value < 9950) return `${(value / 1000).toFixed(1)} s`;
  const seconds = Math.round(value / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function chance(p: number): string {
  return p < 0.001 ? 'less than 0.001' : p.toFixed(3);
}
