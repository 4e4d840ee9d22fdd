import { createContext, useContext } from 'react';
import { en, type Text } from './en.ts';
import { zhCn } from './zh-cn.ts';

export const LANGUAGES = { en: 'English', 'zh-CN': '简体中文' } as const;
export type Language = keyof typeof LANGUAGES;

const TEXTS: Readonly<Record<Language, Text>> = { en, 'zh-CN': zhCn };

export const textIn = (language: Language): Text => TEXTS[language];

export const TextContext = createContext<Text>(en);

/** All that the page says, in the language of whoever reads it. */
export const useText = () => useContext(TextContext);

/** `84.2 MB`; decimal, as registries and their bills count. */
export function bytesText(bytes: number, language: string): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;
  const power = Math.min(Math.floor(Math.log10(bytes) / 3), units.length - 1);
  const value = bytes / 1000 ** power;
  const maximumFractionDigits = value < 100 ? 1 : 0;
  const options = { style: 'unit', unit: units[power] ?? 'byte', maximumFractionDigits } as const;
  return new Intl.NumberFormat(language, options).format(value);
}

const STEPS = [
  ['year', 365 * 24 * 60 * 60],
  ['month', 30 * 24 * 60 * 60],
  ['day', 24 * 60 * 60],
  ['hour', 60 * 60],
  ['minute', 60],
] as const;

/** `3 days ago`. */
export function agoText(time: string, language: string, now: number): string {
  const seconds = (Date.parse(time) - now) / 1000;
  const format = new Intl.RelativeTimeFormat(language, { numeric: 'auto', style: 'short' });
  const [unit, length] = STEPS.find(([, length]) => Math.abs(seconds) >= length) ?? (['minute', 60] as const);
  return format.format(Math.round(seconds / length), unit);
}
