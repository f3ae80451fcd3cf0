#pragma once
// A sequential test with a budget of false alarms.

namespace edgeprune::station {

/// The inverse of the standard normal distribution, 0 < p < 1.
double normal_quantile(double p);

/// Page's cumulative sums (1954) of standard normal scores, one for each direction: a mean that moves by
/// one standard deviation is found soonest by a slack of half of it.
class Cusum {
 public:
  static constexpr double kSlack = 0.5;

  /// `threshold`: threshold_for() the budget. `slack`: more than kSlack if the scores' own mean is not exactly known.
  explicit Cusum(double threshold, double slack = kSlack) : threshold_(threshold), slack_(slack) {}

  /// True if the sum of a direction went over the threshold with it: an alarm, after which it begins anew.
  bool add(double score);
  /// The larger sum, of the threshold: 1 is an alarm.
  double level() const;

 private:
  double threshold_, slack_, up_ = 0, down_ = 0;
};

/// The threshold at which one direction's sum gives a false alarm once in `items` on average: Siegmund's approximation (1985),
/// items = (exp(2 k b) - 2 k b - 1) / (2 k^2) with b = threshold + 1.166.
double threshold_for(double items);

}  // namespace edgeprune::station
