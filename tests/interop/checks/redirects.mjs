export const names = []; export async function start() { return {checks: [], stop() {}}; }
