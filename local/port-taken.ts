/** What a start is refused with whose port another program has. */
export function portTaken(port: number, platform: string = process.platform): string {
  const airPlay =
    platform === 'darwin' && port === 5000
      ? ', on a Mac by AirPlay Receiver (System Settings, General, AirDrop & Handoff), unless that is off'
      : '';
  return `port ${port} is taken${airPlay}; choose another with STOWAGE_PORT, or: npm start -- --port 5001`;
}
