// What the dashboard uses of preact.js, for whoever checks types.
export function html(strings: TemplateStringsArray, ...values: any[]): any;
export function render(node: any, parent: Element): void;
export function useEffect(effect: () => unknown, inputs?: any[]): void;
export function useLayoutEffect(effect: () => unknown, inputs?: any[]): void;
export function useRef<T>(initial: T): { current: T };
export function useState<T>(initial: T | (() => T)): [T, (next: T | ((before: T) => T)) => void];
export interface Signal<T> {
  value: T;
  peek(): T;
  subscribe(told: (value: T) => void): () => void;
}
export function signal<T>(value: T): Signal<T>;
export function effect(run: () => void): () => void;
export function batch(run: () => void): void;
