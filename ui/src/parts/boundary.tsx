import { Component, type ReactNode } from 'react';
import { ApiError } from '../data/api.ts';
import { Failure } from './states.tsx';

/** Says that a page could not be loaded, where there would be nothing at all. */
export class Boundary extends Component<{ readonly children: ReactNode }, { readonly error?: Error }> {
  override state: { readonly error?: Error } = {};

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (!error) return this.props.children;
    return <Failure error={new ApiError(0, error.message)} again={() => location.reload()} />;
  }
}
