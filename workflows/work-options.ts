/** How activities are tried again: soon, as what hinders them is often over soon. */
export const soon = { initialInterval: '500ms', maximumInterval: '10s' } as const;

/** Options of activities that may go on for long; the request says how many seconds a worker may be silent. */
export function longWork({ heartbeatSeconds = 20 }: { readonly heartbeatSeconds?: number }) {
  return {
    startToCloseTimeout: '24h',
    heartbeatTimeout: heartbeatSeconds * 1000,
    // What an attempt has begun has to be over before anything else is done about it.
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  } as const;
}
