# What the REST API (rest.tf) and the HTTP API (http.tf) share.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

provider "aws" {
  region = var.region
}

variable "region" {
  description = "Where the Keyscope stack is."
  type        = string
}

variable "keyscope_stack" {
  description = "Name of the Keyscope stack, whose exports are read."
  type        = string
  default     = "keyscope"
}

variable "package" {
  description = "Path of the zip file that holds the backend."
  type        = string
  default     = "backend.zip"
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_cloudformation_export" "authorizer" {
  for_each = toset(["Rest", "Http"])
  name     = "${var.keyscope_stack}-${each.key}AuthorizerArn"
}

locals {
  partition      = data.aws_partition.current.partition
  authorizers    = { for kind, export in data.aws_cloudformation_export.authorizer : kind => export.value }
  functions_uri  = "arn:${local.partition}:apigateway:${var.region}:lambda:path/2015-03-31/functions"
  apis_arn       = "arn:${local.partition}:execute-api:${var.region}:${data.aws_caller_identity.current.account_id}"
  authorizer_ttl = 300
}

resource "aws_lambda_function" "projects" {
  function_name    = "keyscope-example-projects"
  runtime          = "python3.13"
  architectures    = ["arm64"]
  handler          = "app.handler"
  filename         = var.package
  source_code_hash = filebase64sha256(var.package)
  role             = aws_iam_role.projects.arn
}

resource "aws_iam_role" "projects" {
  name_prefix = "keyscope-example-"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "logs" {
  role       = aws_iam_role.projects.name
  policy_arn = "arn:${local.partition}:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
}
