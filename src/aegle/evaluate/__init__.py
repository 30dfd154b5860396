"""Evaluation without a judge: questions with gold passages and answers, scores, reports."""
