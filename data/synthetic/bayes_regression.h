// What the best predictor says of the next value of a linear function with noise.
#pragma once
#include <span>
#include <vector>

namespace data {

/// For every position t the mean and the standard deviation of y_t given x_0 … x_t and y_0 …
/// y_{t−1} where y = w·x + ε, w ~ N(0, I), ε ~ N(0, noise²): the predictive distribution of ridge
/// regression with penalty noise² (Rasmussen & Williams 2006, section 2.1).
/// x (T,d), y (T) → (T,2). REQUIRES: noise > 0, y not empty.
std::vector<double> bayes_predictions(std::span<const float> x, std::span<const float> y,
                                      double noise);

/// Mean of −log N(y_t; mean, sd²) over the predictions (T,2), nats.
double normal_loss(std::span<const double> predictions, std::span<const float> y);

}  // namespace data
