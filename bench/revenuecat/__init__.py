"""`scripts/bench revenuecat`: Tawny's sync beside the published loop, both asking the fake RevenueCat.

The clock is scaled by ten: a minute of the rate limit is six seconds, and 480 requests fit into it as into the real one.
Latencies and pauses are a tenth, and Tawny's own rate is tenfold. All figures are told in real minutes and milliseconds.
"""
